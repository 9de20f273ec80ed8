//! The keys of the configuration file, from the schema of its types: name, type, default, meaning. A key without a comment, or
//! of a type that has no name here, is a failure.

use std::fmt::Write as _;

use dispatcher::config::Config;
use schemars::schema_for;
use serde_json::Value;

/// A table for each section of the file.
pub(crate) fn keys() -> String {
    let schema = schema_for!(Config).to_value();
    let mut text = String::new();
    Schema(&schema).section("", "", &schema, &mut text);
    text
}

/// A schema, in which types are found by name.
struct Schema<'a>(&'a Value);

impl<'a> Schema<'a> {
    /// The table of an object, and then those of the objects in it.
    fn section(&self, path: &str, meaning: &str, object: &'a Value, text: &mut String) {
        let properties = object["properties"].as_object().expect("a section has keys");
        let (sections, plain): (Vec<_>, Vec<_>) =
            properties.iter().partition(|(_, schema)| self.is_section(schema));
        if !path.is_empty() {
            let _ = write!(text, "\n### `{path}`\n\n{meaning}\n");
        }
        text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
        for (key, schema) in &plain {
            let required =
                object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == *key));
            let (default, name) = (default(schema, required), self.type_of(key, schema));
            let meaning = described(key, schema);
            let _ = writeln!(text, "| `{key}` | {name} | {default} | {meaning} |");
        }
        for (key, schema) in &plain {
            self.values(key, schema, text);
        }
        for (key, schema) in &sections {
            let within = path.trim_matches(['[', ']']);
            let name = if within.is_empty() { (*key).clone() } else { format!("{within}.{key}") };
            let target = self.target(schema);
            let (path, object) = match target.get("items") {
                Some(items) => (format!("[[{name}]]"), self.target(items)),
                None => (format!("[{name}]"), target),
            };
            self.section(&path, &described(key, schema), object, text);
        }
    }

    fn is_section(&self, schema: &'a Value) -> bool {
        let target = self.target(schema);
        let target = target.get("items").map_or(target, |items| self.target(items));
        target.get("properties").is_some()
    }

    /// What a schema refers to; of something that may be left out, what it is where it is not.
    fn target(&self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str() {
            return self.target(&self.0["$defs"][name.rsplit('/').next().unwrap_or(name)]);
        }
        let something = |one: &&Value| one["type"] != "null";
        match schema["anyOf"].as_array() {
            Some(any) if any.iter().filter(something).count() == 1 => {
                any.iter().find(something).map_or(schema, |one| self.target(one))
            }
            _ => schema,
        }
    }

    fn type_of(&self, key: &str, schema: &'a Value) -> String {
        let schema = self.target(schema);
        if let Some(any) = schema["anyOf"].as_array() {
            let all: Vec<_> = any.iter().map(|one| self.type_of(key, one)).collect();
            return all.join(" or ");
        }
        if schema["format"] == "duration" {
            return "duration".to_owned();
        }
        let words = words(schema);
        if !words.is_empty() {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            return words.join(", ");
        }
        let name = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match name.unwrap_or("nothing") {
            "string" => "text".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            name @ ("integer" | "number") => name.to_owned(),
            "array" => format!("list of {}", self.type_of(key, &schema["items"])),
            "object" if schema["additionalProperties"].is_object() => {
                format!("table of {}", self.type_of(key, &schema["additionalProperties"]))
            }
            other => panic!("`{key}` is {other}: tell the reference what that is"),
        }
    }

    /// What each word means that a key takes.
    fn values(&self, key: &str, schema: &'a Value, text: &mut String) {
        for (at, (word, meaning)) in words(self.target(schema)).iter().enumerate() {
            if at == 0 {
                let _ = writeln!(text, "\n`{key}`:\n");
            }
            let meaning = meaning.unwrap_or_else(|| panic!("`{word}` of `{key}` has no comment"));
            let _ = writeln!(text, "- `{word}`: {}", line(meaning));
        }
    }
}

/// The words that are all that a key takes, with their meaning.
fn words(schema: &Value) -> Vec<(&str, Option<&str>)> {
    schema["oneOf"].as_array().map_or_else(Vec::new, |all| all.iter().filter_map(word).collect())
}

fn word(one: &Value) -> Option<(&str, Option<&str>)> {
    Some((one["const"].as_str()?, one["description"].as_str()))
}

fn described(key: &str, schema: &Value) -> String {
    let text = schema["description"].as_str();
    line(text.unwrap_or_else(|| panic!("the key `{key}` has no comment")))
}

/// One line of a table.
pub(crate) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn default(schema: &Value, required: bool) -> String {
    match schema.get("default") {
        _ if required => "required".to_owned(),
        None | Some(Value::Null) => String::new(),
        Some(Value::Array(all)) if all.is_empty() => String::new(),
        Some(Value::Object(all)) if all.is_empty() => String::new(),
        Some(value) if schema["format"] == "duration" => {
            format!("`{}`", toml(value).replace("days", "d"))
        }
        Some(value) => format!("`{}`", toml(value)),
    }
}

/// A value as it is written in the file.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(all) => {
            let all: Vec<_> =
                all.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", all.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(toml).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}
