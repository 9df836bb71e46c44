//! What goes wrong can be told, and changed while the server runs.

use serde_json::{Value, json};

use crate::client::{MILLI, Piped};

const FAULTS: &str = "/admin/faults";

async fn told(sim: &Piped) -> Value {
    sim.ask(&format!("GET {FAULTS}"), &[], &Value::Null).await.json()
}

async fn replace(sim: &Piped, faults: &Value) -> crate::client::Answer {
    sim.ask(&format!("POST {FAULTS}"), &[], faults).await
}

#[tokio::test(start_paused = true)]
async fn the_faults_of_the_options_are_told() {
    let sim = Piped::new("fault=status_503,crlf&fault_rate=0.5&fault_requests=3,7-9&connections=9");
    let rule =
        json!({ "faults": ["status_503", "crlf"], "rate": 0.5, "requests": [[3, 3], [7, 9]] });
    assert_eq!(told(&sim).await, json!({ "connections": 9, "rules": [rule] }));
}

#[tokio::test(start_paused = true)]
async fn faults_are_replaced_for_the_requests_that_follow() {
    let sim = Piped::new("");
    assert_eq!(sim.chat(1).await.status, 200);
    let rules = json!({ "rules": [{ "faults": ["status_429"], "retry_after": 7 }] });
    let replaced = replace(&sim, &rules).await;
    assert_eq!((replaced.status, replaced.json()), (200, rules.clone()));
    let refused = sim.chat(1).await;
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 7\r\n"), "{}", refused.head);
    assert_eq!(told(&sim).await, rules);
    replace(&sim, &json!({ "rules": [] })).await;
    assert_eq!(sim.chat(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_response_under_way_keeps_what_it_was_given() {
    let sim = Piped::new("fault=no_usage");
    let (answer, _) = tokio::join!(sim.chat(5), async {
        tokio::time::sleep(50 * MILLI).await;
        replace(&sim, &json!({ "rules": [] })).await
    });
    assert!(!answer.text().contains("usage"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_meant_is_refused_with_its_field_and_changes_nothing() {
    let sim = Piped::new("fault=crlf");
    let before = told(&sim).await;
    let refused = replace(&sim, &json!({ "rules": [{ "faults": ["reset"], "rate": 2 }] })).await;
    let error = refused.json()["error"].take();
    assert_eq!((refused.status, &error["param"]), (400, &json!("rules[0].rate")));
    assert_eq!(
        error["message"],
        "faults are not changed: rules[0].rate: expected a share from 0 to 1, not 2"
    );
    assert_eq!(told(&sim).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_key_lets_only_those_who_bear_it_change_faults() {
    let sim = Piped::new("api_key=sesame");
    assert_eq!(replace(&sim, &json!({ "rules": [] })).await.status, 401);
    let bearer = [("authorization", "Bearer sesame")];
    assert_eq!(sim.ask(&format!("GET {FAULTS}"), &bearer, &Value::Null).await.status, 200);
    assert_eq!(sim.ask(&format!("PUT {FAULTS}"), &bearer, &Value::Null).await.status, 405);
}
