//! The same event again and again: whenever something below a directory has changed, for those who
//! write a function on a laptop.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::error::{RunError, machine};
use super::{LAST_SECONDS, event, run};
use crate::causes::causes;
use crate::code::Code;
use crate::config::{Environment, EventSource, Run};
use crate::output;
use crate::process;
use crate::signals::Signals;

/// An editor writes a file in several steps: they count as one change.
const STEPS: Duration = Duration::from_millis(100);

/// Runs the event now and after each change, until told to stop.
pub async fn watch(
    mut again: Run,
    directory: &Path,
    environment: &impl Environment,
) -> Result<Code, RunError> {
    // Standard input can be read once.
    again.event = EventSource::Recorded(event::read(&again.event, None).await?.into());
    let (watcher, mut changes) = watched(directory).map_err(machine("watching the directory"))?;
    let mut stop = Signals::install().map_err(RunError::SetUp)?.stop;
    loop {
        let signals = Signals::install().map_err(RunError::SetUp)?;
        let running = async {
            let ended = Box::pin(run(again.clone(), environment, signals)).await;
            say(&ended, directory);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = running => {}
            _ = changes.recv() => {}
            _ = stop.asked() => break,
        }
        process::end_all(LAST_SECONDS);
        tokio::time::sleep(STEPS).await;
        while changes.try_recv().is_ok() {}
    }
    drop(watcher);
    process::end_all(LAST_SECONDS);
    Ok(Code::Interrupted)
}

fn say(ended: &Result<Code, RunError>, directory: &Path) {
    let how = match ended {
        Ok(code) => format!("exit code {}", *code as u8),
        Err(error) => causes(error),
    };
    let text = format!("immortal-runner: {how}; waiting for a change in {}", directory.display());
    output::line(&mut io::stderr(), &text);
}

/// Tells of each change below the directory, for as long as the watcher lives.
fn watched(
    directory: &Path,
) -> notify::Result<(notify::RecommendedWatcher, mpsc::UnboundedReceiver<()>)> {
    let (sender, changes) = mpsc::unbounded_channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, matters) {
            let _ = sender.send(());
        }
    })?;
    watcher.watch(directory, RecursiveMode::Recursive)?;
    Ok((watcher, changes))
}

/// Not what is only read, and not what Python and version control write beside the code.
fn matters(event: &Event) -> bool {
    let beside =
        |part: Component<'_>| part.as_os_str() == "__pycache__" || part.as_os_str() == ".git";
    let outside = |path: &PathBuf| !path.components().any(beside);
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_of_the_code_matter() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        assert!(matters(&event(EventKind::Any, "/w/app.py")));
        assert!(!matters(&event(EventKind::Any, "/w/__pycache__/app.pyc")));
        let read = EventKind::Access(notify::event::AccessKind::Any);
        assert!(!matters(&event(read, "/w/app.py")));
    }
}
