//! What must hold of a job at its end, whatever it has met with.

use serde_json::Value;

use super::driver::Life;
use super::world::World;

/// What does not hold.
pub(crate) fn violations(world: &World, life: &Life) -> Vec<String> {
    let all = [
        ended(world, life),
        one_outcome(life),
        one_owner(life),
        begun_once_an_attempt(world, life),
        reached(world, life),
        whole(world, life),
    ];
    all.into_iter().flatten().map(|violation| format!("{}: {violation}", life.id)).collect()
}

/// It is not lost.
fn ended(world: &World, life: &Life) -> Option<String> {
    if life.hung {
        return Some(format!("a runner hung, of {} launches", life.launches));
    }
    if world.get(&format!("active/{}", life.id)).is_some() {
        return Some(format!("unfinished after {} launches", life.launches));
    }
    let outcome = world.json(&format!("jobs/{}/outcome.json", life.id));
    outcome.is_none().then(|| "lost: neither a marker nor an outcome".to_owned())
}

fn one_outcome(life: &Life) -> Option<String> {
    (life.writers.len() > 1).then(|| format!("its outcome was written by {:?}", life.writers))
}

fn one_owner(life: &Life) -> Option<String> {
    let mut numbers: Vec<u32> = life.owners.iter().map(|(number, _)| *number).collect();
    numbers.dedup();
    (numbers.len() < life.owners.len())
        .then(|| format!("an attempt has changed its owner: {:?}", life.owners))
}

/// Each attempt runs the function once at most.
fn begun_once_an_attempt(world: &World, life: &Life) -> Option<String> {
    let (begun, attempts) = (world.begun(&life.id), life.owners.len());
    (begun > attempts).then(|| format!("the function began {begun} times in {attempts} attempts"))
}

/// The destination has the record of its outcome, and no other.
fn reached(world: &World, life: &Life) -> Option<String> {
    let expected = record(world, life)?;
    let records = world.queue.records(&life.id);
    if records.is_empty() {
        return Some("its destination was not reached".to_owned());
    }
    let other = records.iter().find(|record| **record != expected);
    other.map(|other| format!("delivered: {}; decided: {}", short(other), short(&expected)))
}

/// A record without the bulk of its answer.
fn short(record: &Value) -> String {
    let mut text = record.to_string();
    text.truncate(text.find("xxx").unwrap_or(text.len()));
    text
}

/// A record as it is to be delivered.
fn record(world: &World, life: &Life) -> Option<Value> {
    let outcome = world.json(&format!("jobs/{}/outcome.json", life.id))?;
    let mut record = outcome["record"].clone();
    if !outcome["response"].is_null() {
        record["responsePayload"] = world.json(&format!("jobs/{}/response", life.id))?;
    }
    Some(record)
}

/// Its answer is all of it.
fn whole(world: &World, life: &Life) -> Option<String> {
    let outcome = world.json(&format!("jobs/{}/outcome.json", life.id))?;
    let Some(record) = record(world, life) else {
        return Some("its large response is not there".to_owned());
    };
    if record["requestContext"]["condition"] != "Success" {
        // Somebody killed the function.
        let known = ["Runtime.ExitError"].map(Value::from);
        let kind = &record["responsePayload"]["errorType"];
        return (!known.contains(kind)).then(|| format!("failed with {kind}: {outcome}"));
    }
    let expected = record["requestPayload"]["bytes"].as_u64().unwrap();
    let found = record["responsePayload"]["fill"].as_str().map_or(0, str::len) as u64;
    (found != expected).then(|| format!("expected an answer of {expected} bytes, found {found}"))
}
