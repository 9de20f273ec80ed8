//! `attach` and `detach`: a function's failures wired to the queue of failures, and back again. Owns the order: read,
//! decide, print, do, read again. `plan` and `undo` decide, `aws` reads, `perform` does, `taken` compares.

#[cfg(test)]
mod apply;
mod aws;
pub mod call;
pub mod found;
pub mod note;
mod perform;
pub mod plan;
mod sources;
mod taken;
pub mod trust;
pub mod undo;

use std::time::{Duration, Instant};

use aws::Aws;
use aws_config::SdkConfig;
use tracing::info;

use crate::cli::{Attach, Detach};
use crate::config::{Config, DEFAULT};
use crate::launch;
use crate::people::Refusal;
use crate::place::definition;
use found::{Found, Wanted};
use plan::Plan;
use trust::Who;

/// How long what was set may be unknown to who is asked for it, and when to ask again.
const SETTLES: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_secs(3);

/// Wires a function to a queue; the text for standard output goes to `print`, before anything is done. The configuration
/// is needed where the queue is not said, and for whom the role has to trust.
pub async fn attach(
    asked: &Attach,
    config: Option<&Config>,
    sdk: &SdkConfig,
    print: impl Fn(&str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let aws = Aws::new(sdk)?;
    let url = queue(asked, config)?;
    let url = if url.starts_with("arn:") { aws.url(&url).await? } else { url };
    let attributes = aws.queue(&url).await?;
    let arn = attributes.get("QueueArn").cloned().unwrap_or_default();
    let found = aws.find(&asked.function, Some(&arn)).await?;
    let wanted = Wanted {
        trusted: match (asked.own_role, config) {
            (false, _) => None,
            (true, Some(config)) => Some(who(&asked.function, config, sdk, &aws).await?),
            (true, None) => return Err(absent("whom the role has to trust (--own-role)")),
        },
        queue: arn,
        way: asked.way,
        retries: asked.retries,
        replace: asked.replace,
    };
    sendable(&wanted, &attributes)?;
    let mut plan = plan::plan(&found, &wanted).map_err(Refusal)?;
    plan.remarks.extend(sources::remarks(&aws, &found, &wanted, &attributes).await?);
    plan.remarks.extend(wanted.trusted.as_ref().map(granted));
    let title = format!("{} → {} ({})", called(&found), wanted.queue, wanted.way.as_str());
    carry_out(&aws, &plan, &title, &found, asked.dry_run, print).await
}

/// Undoes what [`attach`] has done.
pub async fn detach(
    asked: &Detach,
    sdk: &SdkConfig,
    print: impl Fn(&str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let aws = Aws::new(sdk)?;
    let mut found = aws.find(&asked.function, None).await?;
    let note = note::Note::read(&found.tags, found.qualifier.as_deref()).map_err(Refusal)?;
    if note.as_ref().is_some_and(|note| note.trust) {
        found.sharing = aws.sharing(&found).await;
    }
    let plan = undo::undo(&found).map_err(Refusal)?;
    let title = match &note {
        Some(note) => format!("{} away from {}", called(&found), note.queue),
        None => format!("{} was not attached by `attach`", called(&found)),
    };
    carry_out(&aws, &plan, &title, &found, asked.dry_run, print).await
}

/// A function's ARN with the version or alias that is meant.
fn called(found: &Found) -> String {
    let qualifier = found.qualifier.as_ref().map(|it| format!(":{it}")).unwrap_or_default();
    format!("{}{qualifier}", found.arn)
}

/// Prints what is to be done as a script for a shell, and does it.
async fn carry_out(
    aws: &Aws,
    plan: &Plan,
    title: &str,
    found: &Found,
    dry_run: bool,
    print: impl Fn(&str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    print(&script(plan, title, &found.arn))?;
    if dry_run {
        return Ok(());
    }
    for (at, call) in plan.calls.iter().enumerate() {
        if let Err(why) = aws.perform(call).await {
            return Err(Refusal(format!("{why}; {}", progress(plan, at))));
        }
        info!("done: {}", call.request().1);
    }
    verify(aws, plan, found).await
}

/// Reads what was set. What AWS tells is not everywhere at once: it is asked again before it is believed.
async fn verify(aws: &Aws, plan: &Plan, before: &Found) -> Result<(), Refusal> {
    let since = Instant::now();
    loop {
        let found = aws.find(&called(before), None).await?;
        let different = taken::differences(&found, &plan.calls);
        if different.is_empty() {
            return Ok(());
        }
        if since.elapsed() > SETTLES {
            return Err(Refusal(format!(
                "all calls were taken, but not all is there afterwards: {}: does something else set it (a template, a pipeline)? The same command again does what is left",
                different.join("; ")
            )));
        }
        info!("{}; reading again", different.join("; "));
        tokio::time::sleep(AGAIN).await;
    }
}

/// What was done before the call that failed, and what was not.
fn progress(plan: &Plan, done: usize) -> String {
    let names = |calls: &[call::Call]| {
        let names: Vec<_> = calls.iter().map(|call| call.request().1).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let (before, after) = plan.calls.split_at(done);
    format!(
        "done: {}; not done: {}: the same command again does what is left",
        names(before),
        names(after)
    )
}

fn script(plan: &Plan, title: &str, arn: &str) -> String {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let mut lines = vec![format!("# {title}")];
    lines.extend(plan.remarks.iter().map(|remark| format!("# note: {remark}")));
    if plan.calls.is_empty() {
        lines.push("# nothing is to be done".to_owned());
    }
    lines.extend(plan.calls.iter().map(|call| call.command(region)));
    lines.join("\n") + "\n"
}

/// The queue that was said, or the only one that the configuration has for failures.
fn queue(asked: &Attach, config: Option<&Config>) -> Result<String, Refusal> {
    if let Some(queue) = &asked.queue {
        return Ok(queue.clone());
    }
    let config = config.ok_or_else(|| absent("the queue (or say it with --queue)"))?;
    let failures: Vec<_> = config.queue.iter().filter(|queue| !queue.task_states).collect();
    match failures.as_slice() {
        [only] => Ok(only.url.clone()),
        others => {
            let urls: Vec<_> = others.iter().map(|queue| queue.url.as_str()).collect();
            Err(Refusal(format!(
                "expected one queue of failures in the configuration, found {}{}: say which with --queue",
                urls.len(),
                if urls.is_empty() { String::new() } else { format!(" ({})", urls.join(", ")) }
            )))
        }
    }
}

fn absent(what: &str) -> Refusal {
    Refusal(format!(
        "expected a configuration that says {what}, found no {DEFAULT} here: name it with --config or IMMORTAL_CONFIG"
    ))
}

/// Lambda sends to standard queues alone (Lambda developer guide, "Retaining records").
fn sendable(wanted: &Wanted, queue: &aws::Attributes) -> Result<(), Refusal> {
    if queue.get("FifoQueue").is_some_and(|fifo| fifo == "true") {
        return Err(Refusal(format!(
            "expected a standard queue, since Lambda sends to no other, found {}",
            wanted.queue
        )));
    }
    Ok(())
}

/// Whom the function's role has to trust here: ECS itself where tasks get that role, else the role of the tasks, in
/// which the runner assumes it.
async fn who(function: &str, config: &Config, sdk: &SdkConfig, aws: &Aws) -> Result<Who, Refusal> {
    if config.launch.launcher != launch::Kind::Ecs {
        return Err(Refusal("expected `launcher = \"ecs\"` with --own-role: processes and containers here have the credentials that they are given".to_owned()));
    }
    let described = aws.describe(function).await?;
    match config.ecs.task_role.as_deref() {
        Some("function") => return Ok(Who::tasks(&described.arn)),
        Some(role) => return Ok(Who::Role(role.to_owned())),
        None => {}
    }
    let definition = definition::definition(&described, &config.ecs).map_err(Refusal)?;
    // One that is made for the function has the role of the one that it is made from.
    let definition = definition.1.map_or(definition.0, |own| own.base);
    let client = aws_sdk_ecs::Client::new(sdk);
    let answer = client.describe_task_definition().task_definition(&definition).send().await;
    let answer = answer.map_err(|error| {
        Refusal(crate::aws::failed("DescribeTaskDefinition", &definition, &error).to_string())
    })?;
    let role = answer.task_definition().and_then(|found| found.task_role_arn());
    role.map(|role| Who::Role(role.to_owned())).ok_or_else(|| {
        Refusal(format!("expected a task role in the task definition {definition}, found none: give it one, or say `task_role` in [ecs]"))
    })
}

/// What else it takes, on our side.
fn granted(who: &Who) -> String {
    match who {
        Who::Tasks { .. } => "the dispatcher needs iam:PassRole on the function's role, and the role the rights of the runner (ledger, lambda:GetFunction)".to_owned(),
        Who::Role(role) => format!("{role} needs sts:AssumeRole on the function's role, and the task definition IMMORTAL_CREDENTIALS=function"),
    }
}

#[cfg(test)]
mod tests {
    use super::call::Call;
    use super::found::{Way, sample};
    use super::*;

    #[test]
    fn the_script_says_all_and_runs_in_a_shell() {
        let wanted = Wanted {
            queue: "arn:q".to_owned(),
            way: Way::Destination,
            retries: 0,
            replace: false,
            trusted: None,
        };
        let mut plan = plan::plan(&sample(), &wanted).unwrap();
        plan.remarks.push("remark".to_owned());
        let script = script(&plan, "title", &sample().arn);
        let lines: Vec<_> = script.lines().collect();
        assert_eq!(lines[..2], ["# title", "# note: remark"]);
        assert!(lines[2..].iter().all(|line| line.starts_with("aws ")), "{script}");
        assert!(script.contains("--region eu-west-1"));
        assert!(super::script(&Plan::default(), "t", "").ends_with("# nothing is to be done\n"));
    }

    #[test]
    fn a_failure_says_what_is_done_and_what_is_not() {
        let call = |name: &str| Call::Untag { arn: name.to_owned(), keys: Vec::new() };
        let plan = Plan { calls: vec![call("a"), call("b")], remarks: Vec::new() };
        assert!(
            progress(&plan, 0).starts_with("done: nothing; not done: UntagResource, UntagResource")
        );
        assert!(progress(&plan, 1).starts_with("done: UntagResource; not done: UntagResource:"));
    }
}
