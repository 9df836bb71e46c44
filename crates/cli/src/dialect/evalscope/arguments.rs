//! A plan in the words of `evalscope perf`: the keys of its `benchmark_args.json`, in its order, secrets masked.
//!
//! It is made from the plan and not from the flags, so that a plan that was run natively has it too.

use serde_json::{Map, Value, json};
use tokometer_plan::{
    Amount, Dataset, Filled, Fit, Plan, Point, Rate, Source, Template, Text, names_a_secret,
};

/// The arguments of one point, whose files go to `folder`. `model` is the one in use, asked of the server or given.
pub(crate) fn of_point(plan: &Plan, point: &Point, model: &str, folder: &str) -> Value {
    let number = json!(point.number.get());
    arguments(
        plan,
        model,
        folder,
        Levels { number, parallel: parallel(point), rate: rate(point), offset: point.offset },
    )
}

/// The arguments of the whole run, whose files go to `folder`.
pub(crate) fn of_run(plan: &Plan, model: &str, folder: &str) -> Value {
    let each = |value: fn(&Point) -> Value| Value::Array(plan.points.iter().map(value).collect());
    let number = each(|point| json!(point.number.get()));
    let offset = plan.points.first().map_or(0, |point| point.offset);
    arguments(
        plan,
        model,
        folder,
        Levels { number, parallel: each(parallel), rate: each(rate), offset },
    )
}

/// What differs from point to point.
struct Levels {
    number: Value,
    parallel: Value,
    rate: Value,
    offset: u64,
}

fn parallel(point: &Point) -> Value {
    point.parallel.map_or(json!(UNBOUNDED), |parallel| json!(parallel.get()))
}

fn rate(point: &Point) -> Value {
    json!(point.rate().map_or(f64::from(UNBOUNDED), Rate::per_second))
}

fn arguments(plan: &Plan, model: &str, folder: &str, levels: Levels) -> Value {
    let offset = levels.offset;
    let parts = [
        target(plan, model),
        load(plan, levels),
        search_and_tuning(),
        output(plan, folder),
        prompts(plan),
        dataset(plan, offset),
        generation(plan),
        turns(plan),
    ];
    let fields = parts.into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(fields.flatten().collect())
}

fn target(plan: &Plan, model: &str) -> Value {
    let timeouts = &plan.target.timeouts;
    json!({
        "model": model,
        "model_id": model.rsplit('/').next(),
        "attn_implementation": null,
        "api": "openai",
        "tokenizer_path": plan.tokenizer,
        "port": 8877,
        "url": plan.target.url.to_string(),
        "headers": headers(plan),
        "connect_timeout": seconds(timeouts.connect),
        "read_timeout": seconds(timeouts.between_chunks),
        "total_timeout": seconds(timeouts.total),
        "api_key": plan.target.key.as_ref().map(|_| MASK),
        "no_test_connection": !plan.target.test_connection,
        "scenario": null,
    })
}

fn load(plan: &Plan, levels: Levels) -> Value {
    json!({
        "number": levels.number,
        "parallel": levels.parallel,
        "rate": levels.rate,
        "warmup_num": match plan.warmup {
            Amount::Count(count) => json!(count),
            Amount::Share(share) => json!(share),
        },
        "enable_pd_metrics": false,
        "open_loop": plan.points.iter().all(|point| point.parallel.is_none()),
        "sleep_interval": seconds(Some(plan.pause)),
        "duration": plan.duration.map(|length| length.as_secs_f64()),
    })
}

/// What evalscope has here and this program has not, at its defaults.
fn search_and_tuning() -> Value {
    json!({
        "sla_auto_tune": false,
        "sla_variable": "parallel",
        "sla_params": null,
        "sla_num_runs": 3,
        "sla_upper_bound": 65536,
        "sla_lower_bound": 1,
        "sla_fixed_parallel": null,
        "sla_number_multiplier": null,
        "db_commit_interval": 1000,
        "queue_size_multiplier": 5,
        "in_flight_task_multiplier": 2,
        "num_workers": 0,
    })
}

fn output(plan: &Plan, folder: &str) -> Value {
    json!({
        "log_every_n_query": plan.output.log_every.get(),
        "debug": plan.output.debug,
        "enable_progress_tracker": false,
        "visualizer": null,
        "wandb_api_key": null,
        "swanlab_api_key": null,
        "swanlab_host": null,
        "name": plan.output.name,
        "alias": plan.output.alias,
        "outputs_dir": folder,
        "no_timestamp": !plan.output.timestamp,
    })
}

fn prompts(plan: &Plan) -> Value {
    let dataset = dataset_of(plan);
    json!({
        "max_prompt_length": dataset.map_or(131_072, |dataset| dataset.max_length),
        "min_prompt_length": dataset.map_or(0, |dataset| dataset.min_length),
        "prefix_length": dataset.map_or(0, |dataset| dataset.prefix_length),
        "prefix_count": dataset.map_or(1, |dataset| dataset.prefix_count),
        "prompt": prompt(&plan.prompts.source),
        "query_template": plan.prompts.template.as_ref().map(template),
        "apply_chat_template": plan.prompts.chat_template,
        "image_width": 224,
        "image_height": 224,
        "image_format": "RGB",
        "image_num": 1,
        "image_patch_size": 28,
    })
}

fn dataset(plan: &Plan, offset: u64) -> Value {
    let dataset = dataset_of(plan);
    json!({
        "dataset": plan.dataset_name(),
        "dataset_path": dataset.and_then(|dataset| dataset.path.as_ref()),
        "data_source": null,
        "dataset_offset": offset,
        "dataset_args": dataset.and_then(dataset_args),
    })
}

fn generation(plan: &Plan) -> Value {
    let options = &plan.generation.options;
    let max_tokens = plan.generation.max_tokens.map(|tokens| match tokens.bounds() {
        (low, high) if low == high => json!(low),
        (low, high) => json!([low, high]),
    });
    json!({
        "frequency_penalty": options.frequency_penalty,
        "repetition_penalty": options.repetition_penalty,
        "logprobs": options.logprobs,
        "max_tokens": max_tokens.or(plan.generation.default_max_tokens.map(|tokens| json!(tokens))),
        "min_tokens": options.min_tokens,
        "n_choices": options.n,
        "seed": options.seed,
        "stop": list(&options.stop),
        "stop_token_ids": list(&options.stop_token_ids),
        "stream": options.stream,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "extra_args": options.extra,
    })
}

fn turns(plan: &Plan) -> Value {
    json!({
        "tokenize_prompt": plan.prompts.tokenize,
        "multi_turn": false,
        "min_turns": 1,
        "max_turns": null,
        "multi_turn_args": null,
    })
}

fn dataset_of(plan: &Plan) -> Option<&Dataset> {
    match &plan.prompts.source {
        Source::Dataset(dataset) => Some(dataset),
        Source::Text(_) => None,
    }
}

fn headers(plan: &Plan) -> Value {
    let shown = |(name, value): &(String, Filled)| {
        let masked = names_a_secret(name) || value.is_reference();
        (name.clone(), json!(if masked { MASK } else { value.written() }))
    };
    let mut headers: Map<String, Value> = plan.target.headers.iter().map(shown).collect();
    if plan.target.key.is_some() {
        headers.insert("Authorization".into(), json!(MASK));
    }
    Value::Object(headers)
}

/// Whole seconds as evalscope has them, parts of seconds as they are.
fn seconds(length: Option<std::time::Duration>) -> Value {
    match length {
        None => Value::Null,
        Some(length) if length.subsec_nanos() == 0 => json!(length.as_secs()),
        Some(length) => json!(length.as_secs_f64()),
    }
}

fn prompt(source: &Source) -> Value {
    match source {
        Source::Dataset(_) => Value::Null,
        Source::Text(Text { file: Some(file), .. }) => json!(format!("@{}", file.display())),
        Source::Text(Text { file: None, text }) => json!(text),
    }
}

fn template(template: &Template) -> String {
    match &template.file {
        Some(file) => format!("@{}", file.display()),
        None => Value::Object(template.body.clone()).to_string(),
    }
}

fn dataset_args(dataset: &Dataset) -> Option<Value> {
    let Fit { length, mode, prefix_file, prefix_role } = dataset.fit.as_ref()?;
    Some(json!({
        "target_input_len": length,
        "input_len_mode": mode,
        "prefix_file": prefix_file,
        "prefix_role": prefix_role,
    }))
}

fn list<T: serde::Serialize>(values: &[T]) -> Value {
    if values.is_empty() { Value::Null } else { json!(values) }
}

/// What evalscope shows where there is no bound.
const UNBOUNDED: i8 = -1;

/// What evalscope shows instead of a secret.
const MASK: &str = "**********";
