//! What each command does, from its arguments to its exit code.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;
use std::rc::Rc;

use ledger::Ledger;
use runner::causes::causes;
use runner::destination::Queue;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::attach;
use crate::aws::Account;
use crate::cli::{Command, Explain, Jobs, Printed, Retry, Show, Submit};
use crate::config::Config;
use crate::dispatch::Fate;
use crate::doctor::{self, finding};
use crate::explain::{Asked, Explanation, explain};
use crate::furnish::{Desked, desk, launcher, ledger, located, open, queues, sdk};
use crate::metrics::Metrics;
use crate::people::{self, Refusal, list, show, submit};
use crate::reconcile;
use crate::resolve::directory::{Cached, Directory};
use crate::serve::{Shared, serve};
use crate::stdout::{print, print_either, write};
use crate::{file, http};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As it was to be.
    Well,
    /// The message would not run; the function failed.
    Not,
}

type Done = Result<Ended, Refusal>;

fn well((): ()) -> Ended {
    Ended::Well
}

/// Does what was said.
pub async fn run(command: Command, config: &Path) -> Done {
    let wrong = |error| Refusal(causes(&error));
    match command {
        Command::Attach(asked) => {
            let config = Config::find(config).map_err(wrong)?;
            let sdk = located(config.as_ref()).await;
            let attached = attach::attach(&asked, config.as_ref(), &sdk, print);
            Box::pin(attached).await.map(well)
        }
        Command::Detach(asked) => {
            let sdk = located(Config::find(config).map_err(wrong)?.as_ref()).await;
            Box::pin(attach::detach(&asked, &sdk, print)).await.map(well)
        }
        command => Box::pin(configured(command, Config::load(config).map_err(wrong)?)).await,
    }
}

/// Does what takes a configuration.
async fn configured(command: Command, config: Config) -> Done {
    match command {
        Command::Serve => Box::pin(served(config)).await,
        Command::Explain(asked) => Box::pin(explained(&asked, config)).await,
        Command::Submit(asked) => Box::pin(submitted(&asked, &desk(config).await?)).await,
        Command::Jobs(asked) => listed(&asked, &ledger(&config).await?).await,
        Command::Show(asked) => shown(&asked, &ledger(&config).await?).await,
        Command::Retry(asked) => Box::pin(retried(&asked, &desk(config).await?)).await,
        Command::Quarantine(printed) => kept(printed, &ledger(&config).await?).await,
        Command::Reconcile => Box::pin(reconciled(&desk(config).await?)).await,
        Command::Doctor(printed) => Box::pin(examined(printed, &config)).await,
        Command::CheckConfig => print("the configuration is valid\n").map(well),
        // These need no configuration, and were done before.
        Command::Attach(_) | Command::Detach(_) | Command::Completion { .. } | Command::Man => {
            Ok(Ended::Well)
        }
    }
}

async fn served(config: Config) -> Done {
    let mut stop = stop()?;
    let (desk, queues) = tokio::select! {
        opened = Box::pin(async {
            let desk = desk(config).await?;
            let queues = queues(&desk).await?;
            Ok::<_, Refusal>((desk, queues))
        }) => opened?,
        _ = stop.wait_for(|stop| *stop) => return Ok(Ended::Well),
    };
    let listen = desk.config.serve.listen;
    let shared = Rc::new(Shared { desk, metrics: Metrics::default() });
    if let Some(address) = listen {
        let listener = http::listen(address).await;
        let listener = listener
            .map_err(|error| Refusal(format!("expected to listen at {address}: {error}")))?;
        info!(%address, "/healthz and /metrics");
        tokio::task::spawn_local(http::answer(listener, Rc::clone(&shared)));
    }
    Box::pin(serve(shared, queues, stop)).await;
    info!("stopped");
    Ok(Ended::Well)
}

/// Becomes true at SIGTERM or SIGINT.
fn stop() -> Result<watch::Receiver<bool>, Refusal> {
    let (tell, told) = watch::channel(false);
    let handler = |kind| signal(kind).map_err(|error| Refusal(error.to_string()));
    let (mut term, mut int) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    tokio::task::spawn_local(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        info!("told to stop: no message is taken any more");
        let _nobody_listens = tell.send(true);
    });
    Ok(told)
}

async fn explained(asked: &Explain, config: Config) -> Done {
    let content = content(&asked.file)?;
    let queue = config.queue_named(asked.queue.as_deref());
    let sdk = sdk(&config).await;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let arn = Queue::of(&queue.url).map(|queue| queue.arn(&region)).unwrap_or_default();
    let (launcher, account) = (launcher(&config, &sdk), Cached::new(Account::new(&sdk)));
    let directory = (!asked.offline).then_some(&account);
    let asking = Asked { config: &config, directory, launcher: &launcher };
    let mut all = Vec::new();
    for message in file::read(&content, &arn) {
        all.push(explain(&message, &queue, &asking).await);
    }
    let runs = all.iter().all(|told| told.runs);
    let texts = || all.iter().map(Explanation::text).collect::<Vec<_>>().join("\n");
    print_either(asked.json, &all, texts)?;
    Ok(if runs { Ended::Well } else { Ended::Not })
}

fn content(path: &Path) -> Result<Vec<u8>, Refusal> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| Refusal(format!("expected a message in {}: {error}", path.display())))
}

async fn submitted(asked: &Submit, desk: &Desked) -> Done {
    let event = submit::event(&asked.event)?;
    let function = desk.directory.describe(&asked.function).await;
    let function = function.map_err(|error| Refusal(error.to_string()))?;
    let arn = crate::resolve::qualified(&function, &asked.function);
    let job = submit::job(asked, &arn, event, ledger::Time::now());
    let id = people::begin(desk, &job).await?;
    info!(job = %job.id, "started as {id}");
    if !asked.wait {
        return print(&format!("{}\n", job.id)).map(well);
    }
    let outcome = Box::pin(submit::wait(desk, &job.id, |said| info!("{said}"))).await?;
    let (response, succeeded) = submit::response(&desk.ledger, &job.id, &outcome).await?;
    write(&response)?;
    if io::stdout().is_terminal() {
        print("\n")?;
    }
    Ok(if succeeded { Ended::Well } else { Ended::Not })
}

async fn listed(asked: &Jobs, ledger: &Ledger) -> Done {
    let lines = list::jobs(ledger, asked).await?;
    print_either(asked.printed.json, &lines, || list::print(&lines)).map(well)
}

async fn kept(printed: Printed, ledger: &Ledger) -> Done {
    let kept = ledger.quarantined().await?;
    print_either(printed.json, &kept, || list::print_kept(&kept)).map(well)
}

async fn shown(asked: &Show, ledger: &Ledger) -> Done {
    let shown = show::show(ledger, &asked.job).await?;
    print_either(asked.printed.json, &shown.json(), || shown.text()).map(well)
}

/// A job that has its outcome is run again under another name; one that has none is looked at now; a message that is
/// kept is dispatched as if it had come again.
async fn retried(asked: &Retry, desk: &Desked) -> Done {
    let (ledger, id) = (&desk.ledger, &asked.job);
    if let Some(kept) = ledger.quarantined_message(id).await? {
        let raw = kept.message.ok_or_else(|| Refusal("the message is gone".to_owned()))?;
        let message = file::read(raw.expose().get().as_bytes(), &kept.queue_arn).remove(0);
        let queue = desk.config.queue_named(Some(&kept.queue_arn));
        let fate =
            Box::pin(desk.take(&message, &queue)).await.map_err(|later| Refusal(later.why))?;
        if let Fate::Quarantined(why) = fate {
            return Err(Refusal(format!("it is still not understood: {why}")));
        }
        ledger.release(id).await?;
        return print(&format!("{}\n", fate.as_str())).map(well);
    }
    let job = people::job(ledger, id).await?;
    if ledger.outcome(id).await?.is_none() {
        reconcile::one(desk, id).await?;
        return print(&format!("{id}\n")).map(well);
    }
    let again = people::again(ledger, &job).await?;
    people::begin(desk, &again).await?;
    print(&format!("{}\n", again.id)).map(well)
}

async fn reconciled(desk: &Desked) -> Done {
    let report = reconcile::sweep(desk).await?;
    let words: Vec<String> =
        report.0.iter().map(|(step, count)| format!("{step} {count}")).collect();
    let words = if words.is_empty() { "no job is unfinished".to_owned() } else { words.join(", ") };
    print(&format!("{words}\n")).map(well)
}

async fn examined(printed: Printed, config: &Config) -> Done {
    let sdk = sdk(config).await;
    let root = config.root().map_err(|error| Refusal(causes(&error)))?;
    let found = doctor::examine(config, &sdk, &open(&root, &sdk)?).await?;
    print_either(printed.json, &found, || finding::print(&found))?;
    Ok(if finding::healthy(&found) { Ended::Well } else { Ended::Not })
}
