//! From files in place to an outcome: boot, serve, and the lines Lambda prints around it. After the
//! runtime has been started nothing leaves by `?`: every end is an outcome.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Times;
use super::error::{RunError, machine};
use super::prepare::{Boot, Prepared};
use crate::api::Api;
use crate::boot;
use crate::boot::environment::{self, Platform};
use crate::config::{Environment, variable};
use crate::output::{self, Report, Stream};
use crate::process::{Group, Program};
use crate::report::Outcome;
use crate::serve::{Serve, Served};
use crate::signals::Signals;

/// Starts the runtime and serves it its event.
pub(super) async fn execute(
    prepared: &Prepared,
    environment: &impl Environment,
    signals: &mut Signals,
    times: Times,
) -> Result<Outcome, RunError> {
    let api = Api::bind().await.map_err(machine("opening the Runtime API"))?;
    let platform = platform(prepared, environment, api.address.to_string());
    let program = match program(prepared, &platform)? {
        Ok(program) => program,
        Err(places) => {
            let request_id = &prepared.event.request_id;
            return Ok(Outcome::invalid_entrypoint(&missing(&places), request_id));
        }
    };
    let mut calls = api.serve();
    let started = Instant::now();
    let (group, stdout, stderr) = match program.start() {
        Ok(started) => started,
        Err(error) => {
            let request_id = &prepared.event.request_id;
            return Ok(Outcome::invalid_entrypoint(&unstarted(&program, &error), request_id));
        }
    };
    let output = machine("reading the runtime's output");
    let streams = Stream::new(stdout)
        .and_then(|stdout| Ok([stdout, Stream::new(stderr)?]))
        .map_err(output)?;
    let serve = serve(prepared, times, &group, streams);
    let served = serve.run(&mut calls, signals, io::stderr()).await;
    Ok(conclude(prepared, served, started, &group))
}

fn serve<'a>(
    prepared: &'a Prepared,
    times: Times,
    group: &'a Group,
    streams: [Stream; 2],
) -> Serve<'a> {
    let Times { clock, limit, grace } = times;
    Serve {
        event: &prepared.event,
        version: &prepared.function.version,
        limit,
        grace,
        clock,
        group,
        streams,
    }
}

fn missing(places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    format!("Couldn't find valid bootstrap(s): [{}]", places.join(" "))
}

fn unstarted(program: &Program, error: &io::Error) -> String {
    format!("fork/exec {}: {error}", program.path.display())
}

fn platform(prepared: &Prepared, environment: &impl Environment, api: String) -> Platform {
    let found =
        |name: &&str| Some(((*name).to_owned(), environment.get(name)?.into_string().ok()?.into()));
    let credentials = variable::HANDED_ON.iter().filter_map(found).collect();
    Platform { api, log_stream: log_stream(&prepared.function.version), credentials }
}

/// The program that is to be started, or the places where it is not.
fn program(
    prepared: &Prepared,
    platform: &Platform,
) -> Result<Result<Program, Vec<PathBuf>>, RunError> {
    let function = &prepared.function;
    Ok(match &prepared.boot {
        Boot::Runtime { family, layout } => boot::bootstrap(family, layout).map(|path| Program {
            path,
            arguments: Vec::new(),
            variables: environment::build(function, family, layout, platform),
            directory: layout.task.clone(),
            user: prepared.place.user(),
        }),
        Boot::Image(image) => Ok(Program {
            path: std::env::current_exe().map_err(machine("finding this program"))?,
            arguments: image.entry.arguments(),
            variables: environment::of_image(function, &image.variables, &image.command, platform),
            directory: "/".into(),
            user: None,
        }),
    })
}

fn log_stream(version: &str) -> String {
    let today =
        jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%Y/%m/%d").to_string();
    format!("{today}/[{version}]{}", uuid::Uuid::new_v4().simple())
}

/// Ends the runtime and prints what Lambda prints at the end.
fn conclude(prepared: &Prepared, served: Served, started: Instant, group: &Group) -> Outcome {
    let peak_memory = group.peak_memory();
    group.kill();
    let outcome = Outcome::of(served.verdict, &prepared.event.request_id);
    let began = served.delivered.unwrap_or(started);
    let report = Report {
        request_id: &prepared.event.request_id,
        duration: milliseconds(served.ended - began),
        init: served.delivered.map(|delivered| milliseconds(delivered - started)),
        memory: prepared.function.memory,
        peak_memory,
        status: outcome.status(),
    };
    let mut log = io::stderr();
    if let (None, Some(kind)) = (served.delivered, &outcome.error_type) {
        output::line(&mut log, &output::init_report(report.duration, kind));
        output::line(&mut log, &output::start(report.request_id, &prepared.function.version));
    }
    output::line(&mut log, &output::end(report.request_id));
    output::line(&mut log, &output::report(&report));
    outcome
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
