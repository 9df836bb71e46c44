//! What was asked for and where it ran: configuration and environment.

use serde_json::Value;
use tokometer_record::Header;

use super::body::Body;
use super::table::{Cell, Column, Table};
use crate::study::Study;
use crate::words::Words;

/// The arguments and the plan of each run. One run stands open, of several each is folded.
pub(super) fn configuration(study: &Study, name: impl Fn(usize) -> Words) -> Body {
    match study.runs.as_slice() {
        [only] => of_run(&only.header),
        several => several
            .iter()
            .enumerate()
            .fold(Body::new(), |body, (at, run)| body.folded(name(at), of_run(&run.header))),
    }
}

fn of_run(header: &Header) -> Body {
    let arguments = Words::fixed("Arguments", "参数");
    let columns = vec![
        Column::left(Words::fixed("Setting", "设置")),
        Column::left(Words::fixed("Value", "值")),
    ];
    let rows: Vec<Vec<Cell>> = match &header.arguments {
        Value::Object(map) => {
            map.iter().map(|(key, value)| vec![Cell::new(key), Cell::new(setting(value))]).collect()
        }
        Value::Null => Vec::new(),
        other => vec![vec![Cell::new("arguments"), Cell::new(setting(other))]],
    };
    let plan = match header.plan.trim().is_empty() {
        true => Body::new(),
        false => Body::new().code(header.plan.clone()),
    };
    let table = Body::new().table(Table::new("", columns).rows(rows));
    if plan.is_empty() {
        return Body::new().folded(arguments, table);
    }
    // On paper the plan does for both: it holds every setting that an argument changed.
    Body::new()
        .folded(Words::fixed("Plan (YAML, can be run again)", "计划（YAML，可再次运行）"), plan)
        .raw(arguments, table)
}

fn setting(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where it ran: what differs between runs has each of its values once.
pub(super) fn environment(study: &Study) -> Body {
    let mut facts: Vec<(Words, Vec<String>)> = Vec::new();
    let mut put = |name: Words, value: &str| {
        if value.is_empty() {
            return;
        }
        match facts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.iter().any(|known| known == value) => {}
            Some((_, values)) => values.push(value.to_owned()),
            None => facts.push((name, vec![value.to_owned()])),
        }
    };
    for run in &study.runs {
        let header = &run.header;
        put(Words::fixed("Program", "程序"), &format!("tokometer {}", header.program));
        put(Words::fixed("Began", "开始时间"), &header.began);
        put(Words::fixed("Address", "地址"), &header.url);
        put(Words::fixed("API", "接口"), &header.api);
        put(Words::fixed("Model", "模型"), &header.model);
        put(Words::fixed("Dataset", "数据集"), &header.dataset);
        put(Words::fixed("Tokenizer", "分词器"), &header.tokenizer);
        for (key, value) in &header.environment {
            put(named(key), value);
        }
        for point in &run.points {
            let side = &point.summary.side;
            for server in &side.servers {
                put(Words::fixed("Server", "服务"), server);
            }
            for gpu in &side.gpus {
                put("GPU".into(), &gpu.name);
            }
        }
        put(Words::fixed("Folder", "目录"), &run.folder.display().to_string());
    }
    let shown = |values: Vec<String>| match values.len() {
        0..=SHOWN => Cell::new(values.join("\n")),
        more => Cell::new(values[..SHOWN].join("\n")).below(Words::both(
            format!("and {} more", more - SHOWN),
            format!("以及另外 {} 个", more - SHOWN),
        )),
    };
    let facts = facts.into_iter().map(|(name, values)| (Cell::new(name), shown(values)));
    Body::new().facts(facts.collect())
}

/// A key of the header's environment.
fn named(key: &str) -> Words {
    match key {
        "host" => Words::fixed("Client's host", "客户端主机"),
        "system" => Words::fixed("Client's system", "客户端系统"),
        "kernel" => Words::fixed("Client's kernel", "客户端内核"),
        "processors" => Words::fixed("Client's processors", "客户端处理器数"),
        "server_version" => Words::fixed("Server's version", "服务端版本"),
        other => other.to_owned().into(),
    }
}

/// So many values of one fact are shown.
const SHOWN: usize = 6;
