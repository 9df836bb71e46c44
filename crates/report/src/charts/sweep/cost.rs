//! What a million tokens of output cost at each load, where the price of the deployment is told.

use super::super::curves::{Load, curves};
use super::super::lines::{BARS, noted};
use super::super::notes::{Over, titled};
use super::super::{SweepChart, sheet};
use super::attainment;
use crate::cases::{Case, sorted};
use crate::figure::{Figure, Panel};
use crate::words::Words;

pub(in super::super) const COST: SweepChart = SweepChart {
    key: "cost",
    title: ("Cost of a million output tokens", "每百万输出令牌成本"),
    about: (
        "The price of an hour of the deployment ÷ the output tokens that an hour at this throughput brings. Prompts are not charged for, and \
         neither is the time when nobody asks.",
        "部署每小时价格 ÷ 以该吞吐量一小时可生成的输出令牌数。未计入输入令牌与空闲时间。",
    ),
    draw,
};

fn draw(cases: &[Case]) -> Option<Figure> {
    let mut currencies: Vec<&str> = Vec::new();
    for case in cases {
        if let Some((_, currency)) = &case.price
            && !currencies.contains(&currency.as_str())
        {
            currencies.push(currency);
        }
    }
    let curves = curves(cases);
    let mut panels: Vec<Panel> = Vec::new();
    for currency in currencies {
        let of = |case: &Case| per_million(case, currency);
        for load in [Load::Concurrency, Load::Rate] {
            let panel = attainment::panel(&curves, load, (("", ""), ("", "")), &of);
            panels.extend(panel.map(|mut panel| {
                panel.y.label = match currency {
                    "" => Words::fixed(
                        "Per million output tokens (in the price's currency)",
                        "每百万输出令牌（价格所用货币）",
                    ),
                    told => Words::both(
                        format!("{told} per million output tokens"),
                        format!("每百万输出令牌 ({told})"),
                    ),
                };
                panel
            }));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let size = sheet::size(7.2, 4.6);
    let columns = panels.len().min(2);
    let width = size.width * columns as f64;
    let title = noted(&titled(COST.title, &sorted(cases), Over::All, width), &curves, &BARS, width);
    Some(sheet::figure(title, panels, columns, size))
}

fn per_million(case: &Case, wanted: &str) -> Option<f64> {
    let (price, currency) = case.price.as_ref()?;
    let throughput = case.figure("output_throughput").filter(|throughput| *throughput > 0.0)?;
    (currency == wanted).then(|| price / (throughput * SECONDS_PER_HOUR) * MILLION)
}

const SECONDS_PER_HOUR: f64 = 3_600.0;

const MILLION: f64 = 1e6;
