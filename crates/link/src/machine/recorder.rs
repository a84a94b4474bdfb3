//! What happens during a connect, written down for the report.

use super::Role;
use crate::defaults::MAX_PAIRS;
use crate::{
    CandidateCounts, CandidateKind, ConnectReport, EndReason, IpVersion, PairReport, PathInfo, Phases,
    ReportedPair, ServerReport,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Findings of one link.
pub(super) struct Recorder {
    prepared: Instant,
    started: Option<Instant>,
    gathered: Option<Instant>,
    ice: Option<Instant>,
    dtls: Option<Instant>,
    open: Option<Instant>,
    pairs: BTreeMap<(SocketAddr, SocketAddr), Checks>,
    pub(super) refused: u32,
}

#[derive(Clone, Copy, Default)]
struct Checks {
    sent: u32,
    answered: bool,
}

/// What the report takes from elsewhere.
pub(super) struct Facts {
    pub(super) role: Role,
    pub(super) local: CandidateCounts,
    pub(super) remote: CandidateCounts,
    pub(super) servers: Vec<ServerReport>,
    pub(super) path: Option<PathInfo>,
    pub(super) dtls: Option<&'static str>,
    pub(super) ended: Option<EndReason>,
}

impl Recorder {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            prepared: now,
            started: None,
            gathered: None,
            ice: None,
            dtls: None,
            open: None,
            pairs: BTreeMap::new(),
            refused: 0,
        }
    }

    pub(super) fn started(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    pub(super) fn gathered(&mut self, now: Instant) {
        self.gathered.get_or_insert(now);
    }

    pub(super) fn ice_connected(&mut self, now: Instant) {
        self.ice.get_or_insert(now);
    }

    pub(super) fn dtls_connected(&mut self, now: Instant) {
        self.dtls.get_or_insert(now);
    }

    pub(super) fn opened(&mut self, now: Instant) {
        self.open.get_or_insert(now);
    }

    pub(super) fn check_sent(&mut self, local: SocketAddr, remote: SocketAddr) {
        let is_full = self.pairs.len() >= MAX_PAIRS;
        match self.pairs.get_mut(&(local, remote)) {
            Some(checks) => checks.sent = checks.sent.saturating_add(1),
            None if is_full => {}
            None => {
                self.pairs.insert((local, remote), Checks { sent: 1, answered: false });
            }
        }
    }

    pub(super) fn check_answered(&mut self, local: SocketAddr, remote: SocketAddr) {
        if let Some(checks) = self.pairs.get_mut(&(local, remote)) {
            checks.answered = true;
        }
    }

    pub(super) fn report(
        &self,
        facts: Facts,
        with_addresses: bool,
        kinds: impl Fn(SocketAddr, SocketAddr) -> (CandidateKind, CandidateKind),
    ) -> ConnectReport {
        let pairs = self.pairs.iter().map(|((local, remote), checks)| {
            let (local_kind, remote_kind) = kinds(*local, *remote);
            PairReport {
                local: local_kind,
                remote: remote_kind,
                ip: IpVersion::from(*remote),
                checks: checks.sent,
                answered: checks.answered,
                addresses: with_addresses.then_some(ReportedPair { local: *local, remote: *remote }),
            }
        });
        let mut report = ConnectReport {
            role: facts.role,
            local: facts.local,
            remote: facts.remote,
            remote_refused: self.refused,
            servers: facts.servers,
            pairs: pairs.collect(),
            path: facts.path,
            phases: self.phases(),
            dtls: facts.dtls.map(str::to_owned),
            ended: facts.ended,
            advice: None,
        };
        report.advice = report.advise();
        report
    }

    fn phases(&self) -> Phases {
        Phases {
            gather_ms: milliseconds(Some(self.prepared), self.gathered),
            ice_ms: milliseconds(self.started, self.ice),
            dtls_ms: milliseconds(self.ice, self.dtls),
            channel_ms: milliseconds(self.dtls, self.open),
            total_ms: milliseconds(self.started, self.open),
        }
    }
}

fn milliseconds(from: Option<Instant>, to: Option<Instant>) -> Option<f64> {
    Some(to?.saturating_duration_since(from?).as_secs_f64() * 1e3)
}
