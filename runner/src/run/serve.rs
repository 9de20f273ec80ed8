//! A function that is served: the front door on one side, environments on the other, until it is told
//! to stop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::{RunError, machine};
use super::prepare::{self, Prepared};
use super::supervise::{Supervisor, watch_stop};
use super::{Times, plan};
use crate::code::Code;
use crate::config::{Environment, Serve};
use crate::front::{self, Front, FunctionFacts};
use crate::output::Journal;
use crate::process;
use crate::serve::pool;
use crate::signals::Signals;

/// Serves a function until told to stop.
pub async fn serve(
    serve: Serve,
    environment: &impl Environment,
    mut signals: Signals,
) -> Result<Code, RunError> {
    let times = Times::new(&serve.run.limits);
    let run = serve.run.clone();
    let prepared = tokio::select! {
        prepared = prepare::prepare(run, environment) => prepared?,
        _ = signals.stop.asked() => return Ok(Code::Interrupted),
    };
    let front = bind(&serve, prepared.place.is_image()).await?;
    process::prepare(prepared.rights(false)).map_err(machine("preparing to start processes"))?;
    both(&serve, &prepared, front, environment, signals, times).await?;
    Ok(Code::Success)
}

/// In a container image everybody may call who can reach it; on a laptop nobody else can.
async fn bind(serve: &Serve, image: bool) -> Result<Front, RunError> {
    let usual = if image { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let address = SocketAddr::new(serve.host.unwrap_or(IpAddr::V4(usual)), serve.port);
    Front::bind(address).await.map_err(|source| RunError::Listen { address, source })
}

async fn both(
    serve: &Serve,
    prepared: &Prepared,
    front: Front,
    environment: &impl Environment,
    signals: Signals,
    times: Times,
) -> Result<(), RunError> {
    let Signals { mut stop, child } = signals;
    let supervisor =
        Supervisor::begin(times, child).map_err(machine("preparing to run the function"))?;
    let journal = supervisor.common.journal.clone();
    let (orders, incoming) = mpsc::channel(1);
    let mut stopped = supervisor.common.stop.clone();
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    journal.line(format!("immortal-runner: listening on http://{}", front.address).as_bytes());
    let outcomes = Arc::new(front::Lines(said(journal)));
    let fronting = front.serve(settings(serve), orders, facts(prepared), outcomes, until);
    let made = async || plan::environment(prepared, environment, times).await;
    let most = if prepared.function.concurrency().is_some() { 1 } else { serve.concurrency };
    let serving = pool::serve(supervisor.common.clone(), most, incoming, made);
    let served: io::Result<()> = tokio::select! {
        (served, ()) = async { tokio::join!(serving, fronting) } => served,
        () = watch_stop(&mut stop, Arc::clone(&supervisor.stop)) => Ok(()),
    };
    supervisor.end();
    served.map_err(machine("opening the Runtime API"))
}

/// How the log tells what nobody waits for.
fn said(journal: Journal) -> impl Fn(&str) + Send + Sync + 'static {
    move |text| journal.line(format!("immortal-runner: {text}").as_bytes())
}

fn settings(serve: &Serve) -> front::Settings {
    front::Settings {
        concurrency: serve.concurrency,
        queue: serve.queue,
        strict: serve.run.limits.strict,
        cors: serve.cors.clone(),
        ..front::Settings::default()
    }
}

fn facts(prepared: &Prepared) -> FunctionFacts {
    let function = &prepared.function;
    FunctionFacts { version: function.version.clone(), arn: function.arn.clone() }
}
