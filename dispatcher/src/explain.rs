//! What would happen to a message, and why: envelope, function, job, verdict, placement, request, cost. Nothing is done.
//! Without AWS it still says all that follows from the message, and names what it could not ask.

use std::fmt::Write as _;
use std::time::Duration;

use ledger::Time;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use crate::config::{Config, QueueSettings};
use crate::dispatch;
use crate::envelope::{self, Failed, Hint, Known, Understood};
use crate::function::Function;
use crate::launch::Launcher;
use crate::message::Message;
use crate::place::cost::{Cost, cost};
use crate::place::definition::Own;
use crate::place::{self, Wanted};
use crate::policy::{self, Verdict};
use crate::resolve::directory::Directory;
use crate::resolve::{self, Unresolved, resolve};

/// What would happen. Fields that are not known are left out.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether it would run.
    pub runs: bool,
    /// The shape of the message.
    pub envelope: String,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Length of the event, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_bytes: Option<usize>,
    /// What the message says of its function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The function that would run, and how it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// How it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<String>,
    /// What the policy says, or why it would not run.
    pub verdict: String,
    /// Whether workers run it or a container of its own, and why; nothing where there are no workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// What its task definition would be made of, where one is made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Own>,
    /// Where and how: the request (`RunTask`, `SubmitJob`), or the message to workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Value>,
    /// USD an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What could not be looked up, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Who can be asked.
#[derive(Debug)]
pub struct Asked<'a, D> {
    /// The configuration.
    pub config: &'a Config,
    /// Who knows functions; nobody where AWS is not to be asked.
    pub directory: Option<&'a D>,
    /// What would start it.
    pub launcher: &'a Launcher,
}

/// What would happen to this message in this queue.
pub async fn explain<D: Directory>(
    message: &Message,
    queue: &QueueSettings,
    asked: &Asked<'_, D>,
) -> Explanation {
    let known = Known {
        record_buckets: queue.record_buckets.iter().cloned().collect(),
        plain_queues: queue.plain_sources.iter().cloned().collect(),
        default_function: queue.function.clone(),
    };
    match envelope::understand(message, queue.kind, &known) {
        Understood::Failed(failed) => run(&failed, message, queue, asked).await,
        Understood::Ignore(why) => Explanation {
            envelope: "nothing to do".to_owned(),
            verdict: why,
            ..Explanation::default()
        },
        Understood::Quarantine(reason) => {
            refused("not understood", format!("it would be kept in quarantine: {}", reason.0))
        }
        Understood::Fetch(object) => Explanation {
            unknown: vec![format!(
                "the record in s3://{}/{}: explain its content",
                object.bucket, object.key
            )],
            ..refused("a notification of S3", "the record that it points to decides".to_owned())
        },
    }
}

fn refused(envelope: &str, verdict: String) -> Explanation {
    Explanation { envelope: envelope.to_owned(), verdict, ..Explanation::default() }
}

async fn run<D: Directory>(
    failed: &Failed,
    message: &Message,
    queue: &QueueSettings,
    asked: &Asked<'_, D>,
) -> Explanation {
    let mut told = Explanation {
        envelope: failed.kind.to_string(),
        job: Some(failed.job.to_string()),
        event_bytes: Some(failed.event.expose().len()),
        hint: Some(hint(&failed.function)),
        ..Explanation::default()
    };
    let function = match asked.directory {
        None => {
            told.unknown.push("the function, its memory and network: AWS was not asked".to_owned());
            None
        }
        Some(directory) => {
            let settings = asked.config.resolving(queue);
            found(failed, message, directory, &settings, &mut told).await
        }
    };
    if !told.verdict.is_empty() {
        return told;
    }
    let policy = function
        .as_ref()
        .map_or_else(|| asked.config.policy.clone(), |function| asked.config.of(function).policy);
    let now = Time::now();
    let age = failed
        .failed_at
        .map(|at| Duration::from_millis(now.as_millis().saturating_sub(at.as_millis())));
    match policy::judge(failed, age, &policy) {
        Verdict::Refuse(why) => told.verdict = format!("not run again: {why}"),
        Verdict::Run { larger, why } => {
            told.runs = true;
            told.verdict = format!("run again: {why}");
            if let Some(function) = &function {
                placed(failed, function, larger, asked, &mut told);
            }
        }
    }
    told
}

async fn found<D: Directory>(
    failed: &Failed,
    message: &Message,
    directory: &D,
    settings: &resolve::Settings,
    told: &mut Explanation,
) -> Option<Function> {
    match resolve(failed, &message.queue_arn, directory, settings).await {
        Ok(resolved) => {
            if crate::jobs::changed(failed, &resolved) {
                told.unknown
                    .push("the function as it was: it was changed after it failed".to_owned());
            }
            told.function = Some(resolved.arn);
            told.found_by = Some(resolved.by);
            return Some(resolved.function);
        }
        Err(Unresolved::Later(why)) => told.unknown.push(format!("the function: {why}")),
        Err(Unresolved::Never(why)) => {
            told.verdict = format!("it would be kept in quarantine: {why}");
        }
    }
    None
}

fn placed<D>(
    failed: &Failed,
    function: &Function,
    larger: u32,
    asked: &Asked<'_, D>,
    told: &mut Explanation,
) {
    let Ok(root) = asked.config.root() else { return };
    let address = dispatch::address(&root, &failed.job);
    let destinations = asked.config.destinations.as_deref();
    let mode = asked.config.of(function).mode;
    let (by_worker, mode) = asked.launcher.by_worker(function, mode, larger, false);
    told.mode = (!mode.is_empty()).then_some(mode);
    let wanted = Wanted {
        function,
        job: &failed.job,
        address: &address,
        tenant: failed.tenant.as_deref(),
        attempt: 1,
        larger,
        by_worker,
        destinations,
    };
    match asked.launcher.place(&wanted) {
        Err(why) => {
            told.runs = false;
            told.verdict = format!("it cannot be placed: {why}");
        }
        Ok(placement) => {
            let token = place::token(&failed.job, 1, 1);
            told.definition = Own::deserialize(&placement["own"]).ok();
            let (request, size) = asked.launcher.request(placement, &token);
            told.cost = size.map(|size| cost(function, size));
            told.placement = Some(request);
        }
    }
}

fn made(own: &Own) -> String {
    let image = own.image.as_ref().map(|image| format!(", of the image {image}"));
    let files = own.file_system.as_ref();
    let files = files.map(|files| format!(", with {} at {}", files.arn, files.mount));
    format!(
        "registered once, made from {}{}{}",
        own.base,
        image.unwrap_or_default(),
        files.unwrap_or_default()
    )
}

fn hint(hint: &Hint) -> String {
    match hint {
        Hint::Function(name) => format!("function {name}"),
        Hint::DeadLetter { target, .. } => {
            format!("the function whose dead letters go to {target}")
        }
        Hint::EventSource(arn) => format!("the function that is mapped to {arn}"),
        Hint::Topic(arn) => format!("the function that is subscribed to {arn}"),
        Hint::Rule { rule, target } => format!("{target}, target of the rule {rule}"),
        Hint::Schedule(arn) => format!("the target of the schedule {arn}"),
        Hint::Source(what) => format!("the function that gets events of {what}"),
        Hint::Unknown => "nothing".to_owned(),
    }
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                let _infallible = writeln!(text, "{name:11}{value}");
            }
        };
        let said = |value: &Option<String>| value.clone().unwrap_or_default();
        line("envelope", &self.envelope);
        line("hint", &said(&self.hint));
        line("function", &said(&self.function));
        line("found by", &said(&self.found_by));
        line("job", &said(&self.job));
        line("event", &self.event_bytes.map(|bytes| format!("{bytes} bytes")).unwrap_or_default());
        line("verdict", &self.verdict);
        line("run by", &said(&self.mode));
        for unknown in &self.unknown {
            line("not known", unknown);
        }
        if let Some(cost) = self.cost {
            line(
                "cost",
                &format!(
                    "about ${:.4} an hour on Fargate (${:.4} on Spot); on Lambda ${:.4}, while it lasts",
                    cost.fargate, cost.spot, cost.lambda
                ),
            );
        }
        if let Some(own) = &self.definition {
            line("definition", &made(own));
        }
        if let Some(placement) = &self.placement {
            let pretty = serde_json::to_string_pretty(placement).unwrap_or_default();
            line("request", &pretty);
        }
        text
    }
}
