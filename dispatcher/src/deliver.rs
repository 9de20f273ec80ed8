//! Outcomes that are decided, delivered from here: of jobs that no container brings to its end, or whose container
//! died between outcome and delivery. The runner's own deliveries, with its patience.

use std::time::Duration;

use ledger::{Destination, Job, Ledger, Outcome};
use runner::aws::Carriers;
use runner::causes::causes;
use runner::destination::{self, Delivery, Patience, Until};
use runner::run::Decided;
use tracing::warn;

use crate::failpoint::failpoint;

/// So long a delivery is tried again, before the next look at the job tries it anew.
const TOTAL: Duration = Duration::from_secs(30);

/// Delivers an outcome to all its destinations, and strikes the job off. Errors say what is not delivered, and why.
pub async fn deliver(
    ledger: &Ledger,
    job: &Job,
    outcome: Outcome,
    destinations: Option<&[Destination]>,
    region: Option<String>,
) -> Result<(), String> {
    let decided = Decided { ledger, job, destinations, region };
    let packed = Box::pin(decided.packed(&outcome)).await;
    let (config, parcel, route) = packed.map_err(|error| causes(&error))?;
    for why in &route.refused {
        warn!(job = %job.id, "{why}");
    }
    let (_never, until) = Until::told();
    let patience = Patience { total: TOTAL, ..Patience::default() };
    let carriers = Carriers::new(&config);
    let results = destination::deliver(&carriers, &parcel, &route.to, patience, &until).await;
    let problems: Vec<String> = results.iter().filter_map(Delivery::problem).collect();
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    failpoint("sent");
    decided.strike(outcome).await.map_err(|error| causes(&error))
}
