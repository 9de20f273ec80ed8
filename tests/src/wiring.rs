//! What can be changed of the scripted Lambda's function: tags, the dead-letter queue, file systems, the configuration of asynchronous
//! invocations of the function, its versions and aliases. As Lambda does it, or refused as a test asks.

use serde_json::{Map, Value, json};

use crate::Deployed;

/// Answers a request that changes or reads these; nothing where it is about something else.
pub(crate) fn answer(
    function: &mut Deployed,
    method: &str,
    path: &str,
    body: &[u8],
) -> Option<(u16, Value)> {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    let refused =
        function.refusals.iter().position(|(what, ..)| method != "GET" && route.ends_with(what));
    if let Some(at) = refused {
        let (_, status, message) = function.refusals.remove(at);
        return Some((status, json!({ "Type": "User", "Message": message })));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let passes = function.forgets.is_some_and(|what| method == "PUT" && route.ends_with(what));
    if passes {
        return Some((200, body));
    }
    if route.starts_with("/2017-03-31/tags/") {
        return Some(tags(&mut function.tags, method, query, &body));
    }
    if route.ends_with("/configuration") && method == "PUT" {
        if let Some(config) = body.get("DeadLetterConfig") {
            let target = config["TargetArn"].as_str().unwrap_or_default();
            let config = if target.is_empty() { Value::Null } else { config.clone() };
            function.configuration["DeadLetterConfig"] = config;
        }
        if let Some(systems) = body.get("FileSystemConfigs") {
            function.configuration["FileSystemConfigs"] = systems.clone();
        }
        return Some((200, function.configuration.clone()));
    }
    if route.ends_with("/event-invoke-config/list") {
        let all = function.qualified.values().chain([&function.invoke_config]);
        let all: Vec<_> =
            all.filter(|(status, _)| *status == 200).map(|(_, config)| config).collect();
        return Some((200, json!({ "FunctionEventInvokeConfigs": all })));
    }
    route.ends_with("/event-invoke-config").then(|| asynchronous(function, method, query, body))
}

fn tags(tags: &mut Map<String, Value>, method: &str, query: &str, body: &Value) -> (u16, Value) {
    match method {
        "GET" => return (200, json!({ "Tags": tags })),
        "POST" => tags.extend(body["Tags"].as_object().unwrap().clone()),
        _ => {
            let keys = query.split('&').filter_map(|pair| pair.strip_prefix("tagKeys="));
            keys.for_each(|key| drop(tags.remove(&key.replace("%3A", ":"))));
        }
    }
    (204, Value::Null)
}

fn asynchronous(
    function: &mut Deployed,
    method: &str,
    query: &str,
    mut body: Value,
) -> (u16, Value) {
    let qualifier = query.strip_prefix("Qualifier=").map(str::to_owned);
    let none = (404, json!({ "Type": "User", "Message": "The function has none" }));
    let Deployed { invoke_config, qualified, configuration, .. } = function;
    let arn = configuration["FunctionArn"].as_str().unwrap();
    let arn = format!("{arn}:{}", qualifier.as_deref().unwrap_or("$LATEST"));
    // One that tests have made is that of all versions.
    let kept = match qualifier {
        Some(qualifier) => qualified.entry(qualifier).or_insert_with(|| invoke_config.clone()),
        None => invoke_config,
    };
    match method {
        "GET" => return kept.clone(),
        "PUT" => {
            body["FunctionArn"] = arn.into();
            *kept = (200, body);
        }
        _ => {
            *kept = none;
            return (204, Value::Null);
        }
    }
    kept.clone()
}
