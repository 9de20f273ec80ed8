//! What each command does, from its arguments to its exit code. Owns the wiring: configuration, AWS, ledger, launcher.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::rc::Rc;

use aws_config::SdkConfig;
use ledger::{Access, HttpClient, Ledger, Root};
use runner::causes::causes;
use runner::fetch::client;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::attach;
use crate::aws::Account;
use crate::cli::{Command, Explain, Jobs, Printed, Retry, Show, Submit};
use crate::config::{Config, QueueSettings};
use crate::dispatch::{Desk, Fate};
use crate::doctor::{self, finding};
use crate::envelope::Kind;
use crate::explain::{Asked, explain};
use crate::launch::{self, Launcher};
use crate::metrics::Metrics;
use crate::people::{self, Refusal, list, show, submit};
use crate::queue::Queue;
use crate::reconcile::{self, watched::Watched};
use crate::resolve::directory::{Cached, Directory};
use crate::serve::{Shared, serve};
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
/// A desk with AWS behind it.
pub type Desked = Desk<Cached<Account>>;

/// Does what was said.
pub async fn run(command: Command, config: &Path) -> Done {
    let wrong = |error| Refusal(causes(&error));
    match command {
        Command::Attach(asked) => {
            let config = Config::find(config).map_err(wrong)?;
            let sdk = located(config.as_ref()).await;
            let attached = attach::attach(&asked, config.as_ref(), &sdk, told);
            Box::pin(attached).await.map(|()| Ended::Well)
        }
        Command::Detach(asked) => {
            let sdk = located(Config::find(config).map_err(wrong)?.as_ref()).await;
            Box::pin(attach::detach(&asked, &sdk, told)).await.map(|()| Ended::Well)
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
        Command::CheckConfig => print("the configuration is valid\n"),
        // These need no configuration, and were done before.
        Command::Attach(_) | Command::Detach(_) | Command::Completion { .. } | Command::Man => {
            Ok(Ended::Well)
        }
    }
}

async fn sdk(config: &Config) -> SdkConfig {
    located(Some(config)).await
}

/// AWS in the region of the configuration, or in that of the environment.
async fn located(config: Option<&Config>) -> SdkConfig {
    runner::aws::config(config.and_then(|config| config.region.clone())).await
}

async fn ledger(config: &Config) -> Result<Ledger, Refusal> {
    let root = config.root().map_err(|error| Refusal(causes(&error)))?;
    open(&root, &sdk(config).await)
}

fn open(root: &Root, sdk: &SdkConfig) -> Result<Ledger, Refusal> {
    if let Root::Directory(_) = root {
        return Ok(Ledger::open(root, None)?);
    }
    let http = client::new().map_err(|error| Refusal(causes(&error)))?;
    Ok(Ledger::open(root, Some(Access { sdk, http: HttpClient::new(http) }))?)
}

fn launcher(config: &Config, sdk: &SdkConfig) -> Launcher {
    let launcher = match config.launch.launcher {
        launch::Kind::Batch => {
            Launcher::batch(aws_sdk_batch::Client::new(sdk), &config.launch, config.batch.clone())
        }
        launch::Kind::Ecs => Launcher::ecs(sdk, &config.launch, config.ecs.clone()),
        launch::Kind::Docker => {
            let directory = match config.root() {
                Ok(Root::Directory(directory)) => Some(directory),
                _ => None,
            };
            Launcher::docker(&config.launch, config.docker.clone(), directory)
        }
        launch::Kind::Process => Launcher::process(&config.launch, config.process.clone()),
    };
    launcher.with_workers(aws_sdk_sqs::Client::new(sdk), config.worker.clone())
}

/// All that dispatching needs.
pub async fn desk(config: Config) -> Result<Desked, Refusal> {
    let sdk = sdk(&config).await;
    let root = config.root().map_err(|error| Refusal(causes(&error)))?;
    let ledger = open(&root, &sdk)?;
    Ok(furnished(config, sdk, ledger))
}

/// The same, with this access to AWS and this ledger.
pub fn furnished(config: Config, sdk: SdkConfig, ledger: Ledger) -> Desked {
    Desk {
        ledger,
        directory: Cached::new(Account::new(&sdk)),
        launcher: launcher(&config, &sdk),
        watched: Watched::default(),
        config,
        sdk,
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

/// The queues of the configuration, ready to be read.
pub async fn queues(desk: &Desked) -> Result<Vec<(Queue, QueueSettings)>, Refusal> {
    let client = aws_sdk_sqs::Client::new(&desk.sdk);
    let mut queues = Vec::new();
    for settings in &desk.config.queue {
        let queue = Queue::open(client.clone(), &settings.url, desk.config.serve.hidden).await;
        let queue = queue.map_err(|error| Refusal(causes(&error)))?;
        info!(queue = queue.arn(), kind = %settings.kind, "reading");
        queues.push((queue, settings.clone()));
    }
    if queues.is_empty() {
        warn!("no [[queue]] is configured: only jobs that are recorded already are looked after");
    }
    Ok(queues)
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
    let queue = settings_of(asked.queue.as_deref(), &config);
    let sdk = sdk(&config).await;
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let arn = if queue.url.is_empty() { String::new() } else { arn_of(&queue.url, &region) };
    let (launcher, account) = (launcher(&config, &sdk), Cached::new(Account::new(&sdk)));
    let directory = (!asked.offline).then_some(&account);
    let asking = Asked { config: &config, directory, launcher: &launcher };
    let mut all = Vec::new();
    for message in file::read(&content, &arn) {
        all.push(explain(&message, &queue, &asking).await);
    }
    let runs = all.iter().all(|told| told.runs);
    if asked.json {
        print_json(&all)?;
    } else {
        let texts: Vec<String> = all.iter().map(crate::explain::Explanation::text).collect();
        print(&texts.join("\n"))?;
    }
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

/// What the configuration says of a queue, by URL or ARN; of one that it does not know, nothing. Where there is only
/// one, that is meant if nothing is said.
pub(crate) fn settings_of(queue: Option<&str>, config: &Config) -> QueueSettings {
    let found = match (queue, config.queue.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(wanted), all) => all.iter().find(|one| is_same(&one.url, wanted)),
    };
    found.cloned().unwrap_or_else(|| QueueSettings {
        url: queue.unwrap_or_default().to_owned(),
        kind: Kind::Auto,
        function: None,
        plain_sources: Vec::new(),
        record_buckets: Vec::new(),
        task_states: false,
    })
}

/// Whether both are one queue: the region is not in every URL.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (arn_of(one, ""), arn_of(other, ""));
    let tail = |arn: &str| arn.split(':').skip(4).map(str::to_owned).collect::<Vec<_>>();
    let region = |arn: &str| arn.split(':').nth(3).unwrap_or_default().to_owned();
    let near =
        region(&one) == region(&other) || region(&one).is_empty() || region(&other).is_empty();
    near && tail(&one) == tail(&other)
}

/// The ARN of a queue by its URL (`https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`), in this region where the URL does
/// not say one; ARNs stay as they are.
fn arn_of(queue: &str, region: &str) -> String {
    let Some((_, rest)) = queue.split_once("://") else { return queue.to_owned() };
    let mut parts = rest.split('/');
    let host = parts.next().unwrap_or_default();
    let said = host.strip_prefix("sqs.").and_then(|rest| rest.split('.').next());
    let (account, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("arn:aws:sqs:{}:{account}:{name}", said.unwrap_or(region))
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
        return print(&format!("{}\n", job.id));
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
    if asked.printed.json { print_json(&lines) } else { print(&list::print(&lines)) }
}

async fn kept(printed: Printed, ledger: &Ledger) -> Done {
    let kept = ledger.quarantined().await?;
    if printed.json { print_json(&kept) } else { print(&list::print_kept(&kept)) }
}

async fn shown(asked: &Show, ledger: &Ledger) -> Done {
    let shown = show::show(ledger, &asked.job).await?;
    if asked.printed.json { print_json(&shown.json()) } else { print(&shown.text()) }
}

/// A job that has its outcome is run again under another name; one that has none is looked at now; a message that is
/// kept is dispatched as if it had come again.
async fn retried(asked: &Retry, desk: &Desked) -> Done {
    let (ledger, id) = (&desk.ledger, &asked.job);
    if let Some(kept) = ledger.quarantined_message(id).await? {
        let raw = kept.message.ok_or_else(|| Refusal("the message is gone".to_owned()))?;
        let message = file::read(raw.expose().get().as_bytes(), &kept.queue_arn).remove(0);
        let queue = settings_of(Some(&kept.queue_arn), &desk.config);
        let fate =
            Box::pin(desk.take(&message, &queue)).await.map_err(|later| Refusal(later.why))?;
        if let Fate::Quarantined(why) = fate {
            return Err(Refusal(format!("it is still not understood: {why}")));
        }
        ledger.release(id).await?;
        return print(&format!("{}\n", fate.as_str()));
    }
    let job = people::job(ledger, id).await?;
    if ledger.outcome(id).await?.is_none() {
        reconcile::one(desk, id).await?;
        return print(&format!("{id}\n"));
    }
    let again = people::again(ledger, &job).await?;
    people::begin(desk, &again).await?;
    print(&format!("{}\n", again.id))
}

async fn reconciled(desk: &Desked) -> Done {
    let report = reconcile::sweep(desk).await?;
    let words: Vec<String> =
        report.0.iter().map(|(step, count)| format!("{step} {count}")).collect();
    let words = if words.is_empty() { "no job is unfinished".to_owned() } else { words.join(", ") };
    print(&format!("{words}\n"))
}

fn print(text: &str) -> Done {
    write(text.as_bytes())
}

async fn examined(printed: Printed, config: &Config) -> Done {
    let sdk = sdk(config).await;
    let root = config.root().map_err(|error| Refusal(causes(&error)))?;
    let found = doctor::examine(config, &sdk, &open(&root, &sdk)?).await?;
    if printed.json {
        print_json(&found)?
    } else {
        print(&finding::print(&found))?
    };
    Ok(if finding::healthy(&found) { Ended::Well } else { Ended::Not })
}

fn told(text: &str) -> Result<(), Refusal> {
    print(text).map(drop)
}

fn print_json(value: &impl Serialize) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|error| Refusal(error.to_string()))?;
    print(&(text + "\n"))
}

/// What was asked for, on standard output. A reader that has gone away is no failure.
fn write(bytes: &[u8]) -> Done {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Refusal(format!("standard output: {error}")))
        }
        _ => Ok(Ended::Well),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_url_and_by_arn() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/failed";
        let arn = "arn:aws:sqs:eu-west-1:123456789012:failed";
        assert_eq!((arn_of(url, "").as_str(), arn_of(arn, "").as_str()), (arn, arn));
        assert!(is_same("http://127.0.0.1:5000/123456789012/failed", arn));
        assert!(!is_same("https://sqs.us-east-1.amazonaws.com/123456789012/failed", arn));
        let text = format!(
            "ledger = \"file:///x\"\n[launch]\nlauncher = \"process\"\n[[queue]]\nurl = \"{url}\"\nkind = \"redrive\"\n[[queue]]\nurl = \"other\""
        );
        let config = Config::read(&text).unwrap();
        assert_eq!(settings_of(Some(arn), &config).kind, Kind::Redrive);
        assert_eq!(settings_of(None, &config).kind, Kind::Auto);
    }
}
