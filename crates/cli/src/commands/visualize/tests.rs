//! Tables of every kind, and folders that cannot be written.

use std::fs;
use std::path::PathBuf;

use super::*;

const HEAD: &str = "model_id,max_concurrency,num_prompts,duration,completed,failed,output_throughput,total_token_throughput,\
request_throughput,mean_ttft_ms,median_ttft_ms,p99_ttft_ms,mean_tpot_ms,mean_itl_ms,input_len,output_len,filename\n\
模型ID,最大并发数,提示数量,持续时间,完成数量,失败,输出吞吐量,总令牌吞吐量,请求吞吐量,a,b,c,d,e,输入长度,输出长度,文件名\n";

fn row(load: u32) -> String {
    format!(
        "m,{load},10,2.5,10,0,{},{},4.0,12.5,12.0,20.0,8.0,8.0,512,64,bench_{load}.json\n",
        load * 100,
        load * 900
    )
}

/// A folder with this table in it, and what `visualize` is asked for.
fn asked(table: &[u8], change: impl Fn(&mut Arguments)) -> (tempfile::TempDir, Arguments) {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("table.csv");
    fs::write(&csv, table).unwrap();
    let mut arguments = Arguments {
        csv: vec![csv],
        mode: Mode::Simple,
        output: folder.path().join("charts"),
        format: Format::Svg,
        lang: Language::English,
    };
    change(&mut arguments);
    (folder, arguments)
}

fn refused(table: impl AsRef<[u8]>) -> String {
    let (_folder, arguments) = asked(table.as_ref(), |_| {});
    let trouble = visualize(&arguments).unwrap_err();
    assert_eq!(trouble.exit(), Exit::Input);
    assert!(!arguments.output.exists(), "nothing is drawn of what is refused");
    trouble.what().replace(&arguments.csv[0].display().to_string(), "table.csv")
}

fn written(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_table_that_is_none_of_results_is_refused_with_its_line() {
    assert_eq!(refused(""), "table.csv, line 1: the file is empty");
    assert!(refused("a,b\n1,2\n").starts_with("table.csv, line 1: no table of results"));
    assert_eq!(refused(b"duration\n\xff\n"), "table.csv, line 2: not UTF-8");
    assert_eq!(refused(HEAD), "table.csv holds headings and no result");
    assert_eq!(refused(format!("{HEAD}m,4\n")), "none of the rows holds a result");
}

#[test]
fn one_row_has_the_simple_charts() {
    let (_folder, arguments) = asked(format!("{HEAD}{}", row(4)).as_bytes(), |_| {});
    assert_eq!(visualize(&arguments).unwrap(), Exit::Done);
    let expected =
        ["latency_comparison.svg", "performance_heatmap.svg", "throughput_comparison.svg"];
    assert_eq!(written(&arguments.output), expected);
}

#[test]
fn two_hundred_rows_are_drawn_in_both_sets() {
    let rows: String = (1..=200).map(row).collect();
    let table = format!("{HEAD}{rows}");
    let (_folder, arguments) = asked(table.as_bytes(), |arguments| arguments.mode = Mode::Both);
    assert_eq!(visualize(&arguments).unwrap(), Exit::Done);
    assert_eq!(written(&arguments.output), ["advanced", "simple"]);
    assert_eq!(written(&arguments.output.join("simple")).len(), 3);
    let all = written(&arguments.output.join("advanced"));
    assert!(all.contains(&"comprehensive_dashboard.svg".to_owned()), "{all:?}");
    assert!(all.contains(&"performance_report.txt".to_owned()), "{all:?}");
}

#[test]
fn images_are_pngs_in_the_language_that_was_asked_for() {
    let table = format!("{HEAD}{}{}", row(1), row(4));
    let (_folder, arguments) = asked(table.as_bytes(), |arguments| {
        (arguments.format, arguments.lang) = (Format::Png, Language::Chinese);
    });
    assert_eq!(visualize_with(&arguments, |_| None).unwrap(), Exit::Done);
    let png = fs::read(arguments.output.join("throughput_comparison.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
}

#[test]
fn a_language_without_a_font_is_refused_for_pngs_before_a_chart_is_overwritten() {
    let table = format!("{HEAD}{}{}", row(1), row(4));
    let none = |language| (language == Language::Chinese).then_some("no font");
    let chinese = |format: Format| {
        asked(table.as_bytes(), |arguments| {
            (arguments.format, arguments.lang) = (format, Language::Chinese);
        })
    };
    let (_folder, arguments) = chinese(Format::Png);
    fs::create_dir(&arguments.output).unwrap();
    let good = arguments.output.join("throughput_comparison.png");
    fs::write(&good, "good").unwrap();
    let trouble = visualize_with(&arguments, none).unwrap_err();
    assert_eq!(trouble.exit(), Exit::Input);
    assert!(trouble.what().contains("--lang zh") && trouble.has_hint(), "{}", trouble.what());
    assert_eq!(fs::read(&good).unwrap(), b"good");
    assert_eq!(written(&arguments.output), ["throughput_comparison.png"]);
    for format in [Format::Svg, Format::Html] {
        let (_folder, arguments) = chinese(format);
        assert_eq!(visualize_with(&arguments, none).unwrap(), Exit::Done, "{format:?}");
    }
}

#[test]
fn a_page_holds_every_chart() {
    let table = format!("{HEAD}{}{}", row(1), row(4));
    let (_folder, arguments) = asked(table.as_bytes(), |arguments| arguments.format = Format::Html);
    visualize(&arguments).unwrap();
    assert_eq!(written(&arguments.output), ["charts.html"]);
}

#[test]
fn a_damaged_row_is_left_out_and_the_exit_code_says_so() {
    let damaged = row(4).replace(",2.5,10,0,", ",2.5,many,0,");
    let table = format!("{HEAD}{}{damaged}{}", row(1), row(16));
    let (_folder, arguments) = asked(table.as_bytes(), |_| {});
    assert_eq!(visualize(&arguments).unwrap(), Exit::Incomplete);
    let rows = Rows::read(&arguments.csv).unwrap();
    assert_eq!(rows.cases.len(), 2);
    assert!(
        rows.damaged[0]
            .ends_with(", line 4: column 5 (completed) has \"many\", where a number belongs"),
        "{:?}",
        rows.damaged
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_drawn() {
    let table = format!("{HEAD}{}", row(4));
    let (folder, arguments) = asked(table.as_bytes(), |arguments| arguments.mode = Mode::Both);
    // What is to be a folder is a file.
    fs::create_dir(&arguments.output).unwrap();
    fs::write(arguments.output.join("advanced"), "").unwrap();
    let trouble = visualize(&arguments).unwrap_err();
    assert!(trouble.what().starts_with("cannot write into "), "{}", trouble.what());
    assert_eq!(written(&arguments.output.join("simple")), [""; 0]);
    drop(folder);
}

#[test]
fn several_tables_are_drawn_together() {
    let (folder, arguments) = asked(format!("{HEAD}{}", row(4)).as_bytes(), |_| {});
    let other = folder.path().join("other.csv");
    fs::write(&other, format!("{HEAD}{}", row(8))).unwrap();
    let files = [arguments.csv.clone(), vec![other]].concat();
    assert_eq!(Rows::read(&files).unwrap().cases.len(), 2);
}

#[test]
fn the_newest_table_is_the_newest_by_time_and_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, age: u64| -> PathBuf {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let now = std::time::SystemTime::now();
        file.set_modified(now - std::time::Duration::from_secs(age)).unwrap();
        path
    };
    write("z_20990101_000000/aggregate_results_20990101.csv", 60);
    let newest = write("a_20200101_000000/aggregate_results_20200101.csv", 10);
    write("aggregate_results_20980101.csv", 30);
    write("b/other.csv", 0);
    assert_eq!(newest::table(folder.path()).unwrap(), newest);
    let empty = tempfile::tempdir().unwrap();
    assert!(newest::table(empty.path()).unwrap_err().has_hint());
}
