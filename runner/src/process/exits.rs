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
    /// How many processes the kernel had killed for want of memory.
    out_of_memory: u64,
}

impl Exits {
    /// Before any process is started.
    pub fn new() -> Self {
        let out_of_memory = memory::kills();
        Self(Arc::new(Mutex::new(Waited { out_of_memory, ..Waited::default() })))
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
