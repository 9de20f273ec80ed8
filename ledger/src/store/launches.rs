//! Launches: intended once each, and kept up by whoever asks for them; and messages that are kept out of the way.

use super::Ledger;
use crate::error::LedgerError;
use crate::id::JobId;
use crate::launch::Launch;
use crate::layout::Layout;
use crate::quarantine::Quarantined;

impl Ledger {
    /// Records that an attempt is to be started, and how: the launch that counts, this one or an earlier one.
    pub async fn intend(&self, id: &JobId, launch: Launch) -> Result<Launch, LedgerError> {
        let key = Layout::launch(id, launch.number);
        Ok(self.create_record(&key, &launch).await?.unwrap_or(launch))
    }

    /// Rewrites a launch with what became of it. Several may know: what they know is the same, since all asked
    /// for the same.
    pub async fn launched(&self, id: &JobId, launch: &Launch) -> Result<(), LedgerError> {
        self.put_record(&Layout::launch(id, launch.number), launch).await
    }

    /// A job's launches, first to last.
    pub async fn launches(&self, id: &JobId) -> Result<Vec<Launch>, LedgerError> {
        let numbers = self.numbers(&Layout::launches(id)).await?;
        let mut launches = Vec::with_capacity(numbers.len());
        for number in numbers {
            launches.extend(self.record(&Layout::launch(id, number)).await?);
        }
        Ok(launches)
    }

    /// Keeps a message that cannot be made a job. The first reason stays.
    pub async fn quarantine(&self, message: &Quarantined) -> Result<(), LedgerError> {
        self.create_record(&Layout::quarantined(&message.id), message).await.map(drop)
    }

    /// The messages that are kept out of the way, by name.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, LedgerError> {
        let objects = self.list(Layout::QUARANTINE).await?;
        let mut found = Vec::new();
        for meta in objects {
            let name = meta.location.filename().and_then(|name| name.strip_suffix(".json"));
            if let Some(id) = name.and_then(|name| name.parse().ok()) {
                found.extend(self.record(&Layout::quarantined(&id)).await?);
            }
        }
        Ok(found)
    }

    /// How many messages are kept out of the way. Costs one request per thousand of them.
    pub async fn quarantine_size(&self) -> Result<usize, LedgerError> {
        Ok(self.list(Layout::QUARANTINE).await?.len())
    }

    /// One of them.
    pub async fn quarantined_message(
        &self,
        id: &JobId,
    ) -> Result<Option<Quarantined>, LedgerError> {
        self.record(&Layout::quarantined(id)).await
    }

    /// Lets go of a message that is kept, once it has become a job.
    pub async fn release(&self, id: &JobId) -> Result<(), LedgerError> {
        self.delete(&Layout::quarantined(id)).await
    }

    /// The numbers of the records in a folder, in order.
    pub(super) async fn numbers(&self, folder: &str) -> Result<Vec<u32>, LedgerError> {
        let objects = self.list(folder).await?;
        let names = objects.iter().filter_map(|meta| meta.location.filename());
        let mut numbers: Vec<u32> = names.filter_map(Layout::number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}
