//! Health is told as the OpenAPI document has it.

use std::time::Duration;

use serde_json::Value;
use tests::proxy::Way;
use tests::{Client, until};

use crate::limits::apart;

const WAIT: Duration = Duration::from_secs(40);

/// What of a value is not as its schema has it, by the path to it. A field that the schema does not name is one such.
fn differences(path: &str, schema: &Value, value: &Value) -> Vec<String> {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => Vec::from_iter(one.as_str()),
    };
    let one_of = ["oneOf", "anyOf"].into_iter().find_map(|word| schema[word].as_array());
    if let Some(one_of) = one_of {
        let fits = one_of.iter().any(|schema| differences(path, schema, value).is_empty());
        return if fits {
            Vec::new()
        } else {
            vec![format!("{path} fits none of {schema}")]
        };
    }
    let (is, fits) = match value {
        Value::Null => ("null", types.contains(&"null")),
        Value::Bool(_) => ("boolean", types.contains(&"boolean")),
        Value::String(text) => {
            let listed = schema["enum"].as_array().is_none_or(|listed| listed.contains(value));
            let meant = schema["const"].as_str().is_none_or(|meant| meant == text);
            ("string", types.contains(&"string") && listed && meant)
        }
        Value::Number(number) => {
            let whole = types.contains(&"integer") && (number.is_i64() || number.is_u64());
            ("number", whole || types.contains(&"number"))
        }
        Value::Array(_) => ("array", types.contains(&"array")),
        Value::Object(_) => ("object", types.contains(&"object")),
    };
    let mut found = Vec::new();
    if !fits {
        found.push(format!("{path} is {is} {value}, not {schema}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(differences(&format!("{path}[{index}]"), &schema["items"], item));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{path} lacks {required}"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let known = schema["properties"]
            .get(name)
            .unwrap_or(&schema["additionalProperties"]);
        found.extend(differences(&format!("{path}.{name}"), known, field));
    }
    found
}

/// The answer of this status, which must be as the document says.
async fn described(client: &Client, path: &str, status: u16) -> Value {
    let document = client.get("/v1/openapi.json").await.ok();
    let content = &document["paths"][path]["get"]["responses"][status.to_string()]["content"];
    let reference = content["application/json"]["schema"]["$ref"].as_str().unwrap();
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    let look = async || {
        let reply = client.get(path).await;
        (reply.status == status).then(|| reply.json())
    };
    let (health, _) = until(&format!("{path} to answer {status}"), WAIT, look).await;
    assert_eq!(differences(path, schema, &health), [""; 0], "{health}");
    health
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_as_its_schema_says_whether_the_process_is_ready_or_not() {
    let (service, proxy) = apart().await;
    let admin = &service.admin;
    described(admin, "/health/live", 200).await;
    let ready = described(admin, "/health/ready", 200).await;
    let contexts = ready["contexts"].as_object().unwrap();
    assert!(
        !contexts.is_empty() && !ready["workers"].as_object().unwrap().is_empty(),
        "{ready}"
    );
    proxy.set(Way::Cut);
    let not_ready = described(admin, "/health/ready", 503).await;
    assert_eq!(not_ready["book"], Value::Null, "{not_ready}");
    assert_ne!(not_ready["problems"].as_array().unwrap().len(), 0, "{not_ready}");
    proxy.set(Way::Open);
    described(admin, "/health/ready", 200).await;
    service.end().await;
}
