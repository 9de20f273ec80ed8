//! Starting the environment's processes, and ending them.

use std::io;
use std::sync::Arc;

use super::Environment;
use crate::output::Stream;
use crate::process::{Program, Started};
use crate::session::{Input, Party};
use crate::telemetry::record::Source;

impl Environment {
    /// Starts a process; that it could not be is an input for the session.
    pub(super) fn start(&mut self, party: Party) {
        let (program, source) = match party {
            Party::Runtime => match &self.plan.runtime {
                Ok(program) => (Arc::clone(program), Source::Function),
                Err(problem) => {
                    self.inputs.push_back(Input::Unstarted(party, problem.clone()));
                    return;
                }
            },
            Party::Extension(index) => {
                let (name, program) = &self.plan.extensions[index];
                (Arc::clone(program), Source::Extension(Arc::clone(name)))
            }
        };
        let started = program.start(&self.common.exits, &self.ended);
        if let Err(error) = started.and_then(|started| self.started(party, started, &source)) {
            let problem = unstarted(party, &program, &error);
            self.inputs.push_back(Input::Unstarted(party, problem));
        }
    }

    fn started(&mut self, party: Party, started: Started, source: &Source) -> io::Result<()> {
        self.processes.insert(party, started.group);
        self.streams.push(Stream::lines(started.stdout, source.clone())?);
        self.streams.push(Stream::lines(started.stderr, source.clone())?);
        if let Some(log) = started.log {
            self.streams.push(Stream::frames(log, source.clone())?);
        }
        Ok(())
    }

    pub(super) fn terminate(&self, party: Party) {
        if let Some(group) = self.processes.get(&party) {
            group.terminate();
        }
    }

    pub(super) fn kill(&self, party: Party) {
        let Some(group) = self.processes.get(&party) else { return };
        // At the end of all, what a program has started is given time to end, elsewhere than here.
        if self.stopping { group.kill_leader() } else { group.kill() }
    }
}

fn unstarted(party: Party, program: &Program, error: &io::Error) -> String {
    match party {
        Party::Runtime => format!("fork/exec {}: {error}", program.path.display()),
        // As the `LaunchError` of an extension names it.
        Party::Extension(_) if error.kind() == io::ErrorKind::PermissionDenied => {
            "PermissionDenied".to_owned()
        }
        Party::Extension(_) => format!("UnknownError: {error}"),
    }
}
