//! What commands work with, made of the configuration: AWS, the ledger, the launcher, the desk, the queues.

use aws_config::SdkConfig;
use ledger::{Access, HttpClient, Ledger, Root};
use runner::causes::causes;
use runner::fetch::client;
use tracing::{info, warn};

use crate::aws::Account;
use crate::config::{Config, QueueSettings};
use crate::dispatch::Desk;
use crate::launch::{self, Launcher};
use crate::people::Refusal;
use crate::queue::Queue;
use crate::reconcile::watched::Watched;
use crate::resolve::directory::Cached;

/// A desk with AWS behind it.
pub type Desked = Desk<Cached<Account>>;

/// AWS, as this configuration has it.
pub(crate) async fn sdk(config: &Config) -> SdkConfig {
    located(Some(config)).await
}

/// AWS in the region of the configuration, or in that of the environment.
pub(crate) async fn located(config: Option<&Config>) -> SdkConfig {
    runner::aws::config(config.and_then(|config| config.region.clone())).await
}

/// The ledger of this configuration.
pub(crate) async fn ledger(config: &Config) -> Result<Ledger, Refusal> {
    let root = config.root().map_err(|error| Refusal(causes(&error)))?;
    open(&root, &sdk(config).await)
}

/// The ledger at this address.
pub(crate) fn open(root: &Root, sdk: &SdkConfig) -> Result<Ledger, Refusal> {
    if let Root::Directory(_) = root {
        return Ok(Ledger::open(root, None)?);
    }
    let http = client::new().map_err(|error| Refusal(causes(&error)))?;
    Ok(Ledger::open(root, Some(Access { sdk, http: HttpClient::new(http) }))?)
}

/// What starts runners.
pub(crate) fn launcher(config: &Config, sdk: &SdkConfig) -> Launcher {
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
