//! Who is to learn of the end of which process. The one place that reaps, orphans too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Group, memory, reap_one};
use crate::session::Exit;

/// Where ends are told.
pub type Ended = mpsc::UnboundedSender<(Group, Exit)>;

/// The processes whose ends somebody waits for.
#[derive(Debug, Clone, Default)]
pub struct Exits(Arc<Mutex<Waited>>);

#[derive(Debug, Default)]
struct Waited {
    by_group: HashMap<Group, Ended>,
    /// How many processes the kernel had killed for want of memory when it was last asked, and at first.
    out_of_memory: u64,
    at_first: u64,
}

impl Exits {
    /// Before any process is started.
    pub fn new() -> Self {
        let out_of_memory = memory::kills();
        let waited = Waited { out_of_memory, at_first: out_of_memory, ..Waited::default() };
        Self(Arc::new(Mutex::new(waited)))
    }

    /// How many processes the kernel has killed for want of memory since then, whoever had started them.
    pub fn out_of_memory(&self) -> u64 {
        let at_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).at_first;
        memory::kills().saturating_sub(at_first)
    }

    pub(super) fn expect(&self, group: Group, ended: Ended) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_group.insert(group, ended);
    }

    /// Reaps whatever has ended and tells those who wait for it.
    pub fn reap(&self) {
        let mut waited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((leader, exit)) = reap_one() {
            let group = Group { leader };
            if let Some(ended) = waited.by_group.remove(&group) {
                let _ = ended.send((group, waited.explain(exit)));
            }
        }
    }
}

impl Waited {
    /// A SIGKILL of the kernel's, for want of memory, is told from any other.
    fn explain(&mut self, exit: Exit) -> Exit {
        if exit != Exit::Signal(9) {
            return exit;
        }
        let before = std::mem::replace(&mut self.out_of_memory, memory::kills());
        if self.out_of_memory > before { Exit::OutOfMemory } else { exit }
    }
}
