use crate::clock::Clock;
use crate::domain::Authority;
use crate::finder::FinderShell;
use crate::gate::Gate;
use crate::metrics::{Exposition, Metrics};
use crate::names::Names;
use openpeer_store::Store;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all connections of one server share.
pub(crate) struct App {
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) authority: Authority,
    pub(crate) names: Option<Names>,
    pub(crate) finder: FinderShell,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) exposition: Exposition,
    /// Everything that runs.
    pub(crate) tasks: TaskTracker,
    /// Nothing new is accepted.
    pub(crate) drain: CancellationToken,
    /// Everything ends now.
    pub(crate) stop: CancellationToken,
}
