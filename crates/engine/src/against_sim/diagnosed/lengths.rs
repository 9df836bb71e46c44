//! Prompts and outputs of another length than was asked for.

use super::*;

const SERVER: &str = "base_us=20000&per_prefill_token_us=10&max_num_seqs=64";

#[tokio::test(start_paused = true)]
async fn outputs_that_end_as_the_server_likes_are_told() {
    let query = format!("{SERVER}&output_tokens=5-15");
    let free = case(&query, closed(8, 600)).not_insisting();
    assert_found(&free, &["output_length"]).await;
    assert_found(&case(&query, closed(8, 600)), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_context_that_cuts_outputs_is_told() {
    let query = format!("{SERVER}&max_model_len=110");
    let log = assert_found(&case(&query, closed(8, 600)), &["output_length"]).await;
    let next = &summarize(&log).findings[0].next;
    assert!(next.contains("--max-model-len"), "{next}");
    assert_found(&case(&format!("{SERVER}&max_model_len=200"), closed(8, 600)), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn prompts_that_the_server_counts_otherwise_are_told() {
    let load = case(SERVER, closed(8, 600)).prompts(&[100, 200]);
    assert_found(&load.clone().miscounting(1.09), &["prompt_length"]).await;
    assert_found(&load, &[]).await;
}
