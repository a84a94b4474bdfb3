//! Counters for `/metrics`, in the OpenMetrics text format that Prometheus reads. `docs/operations.md` lists them.

use crate::finder::FinderShell;
use crate::gate::Gate;
use openpeer_store::StoreError;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// What the server counts beside the finder machine.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) http: ByteCounters,
    pub(crate) keepalive: ByteCounters,
    pub(crate) stun: ByteCounters,
    pub(crate) stun_answers: Counter,
    pub(crate) stun_ignored: Counter,
    pub(crate) stun_limited: Counter,
    http_refusals: Family<Label, Counter>,
    connection_refusals: Family<Label, Counter>,
    store_errors: Family<Label, Counter>,
    store_seconds: Family<Label, Histogram, fn() -> Histogram>,
}

/// One label: name and value.
type Label = [(&'static str, &'static str); 1];

/// Bytes of one kind of traffic.
#[derive(Debug, Default)]
pub(crate) struct ByteCounters {
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            http: ByteCounters::default(),
            keepalive: ByteCounters::default(),
            stun: ByteCounters::default(),
            stun_answers: Counter::default(),
            stun_ignored: Counter::default(),
            stun_limited: Counter::default(),
            http_refusals: Family::default(),
            connection_refusals: Family::default(),
            store_errors: Family::default(),
            store_seconds: Family::new_with_constructor(latency),
        })
    }

    /// An HTTP request was answered with a problem.
    pub(crate) fn http_refusal(&self, code: &'static str) {
        self.http_refusals.get_or_create(&[("code", code)]).inc();
    }

    /// A connection was not accepted.
    pub(crate) fn connection_refusal(&self, reason: &'static str) {
        self.connection_refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// Measures a store call; logs and counts its failure.
    pub(crate) async fn store_call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let result = call.await;
        self.store_seconds.get_or_create(&[("call", name)]).observe(start.elapsed().as_secs_f64());
        if let Err(error) = &result {
            self.store_errors.get_or_create(&[("code", error.code())]).inc();
            tracing::error!(call = name, code = error.code(), %error, "store failed");
        }
        result
    }
}

/// From a lookup in memory to a disk in trouble.
fn latency() -> Histogram {
    Histogram::new([0.0001, 0.0005, 0.002, 0.01, 0.05, 0.25, 1.0, 5.0])
}

/// Writes all metrics of one server.
pub(crate) struct Exposition(Mutex<Registry>);

impl Exposition {
    pub(crate) fn new(metrics: Arc<Metrics>, finder: FinderShell, gate: Arc<Gate>) -> Self {
        let mut registry = Registry::with_prefix("openpeer");
        registry.register("stun_answers", "STUN requests answered", metrics.stun_answers.clone());
        registry.register(
            "stun_ignored",
            "Datagrams that are no binding request",
            metrics.stun_ignored.clone(),
        );
        registry.register(
            "stun_limited",
            "STUN requests over the rate of their source",
            metrics.stun_limited.clone(),
        );
        registry.register("http_refusals", "HTTP requests refused, by code", metrics.http_refusals.clone());
        let refusals = metrics.connection_refusals.clone();
        registry.register("connection_refusals", "Connections not accepted, by reason", refusals);
        registry.register("store_errors", "Store calls that failed, by code", metrics.store_errors.clone());
        registry.register("store_seconds", "Duration of store calls", metrics.store_seconds.clone());
        registry.register_collector(Box::new(Snapshot { metrics, finder, gate }));
        Self(Mutex::new(registry))
    }

    /// The text of all metrics.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }
}

/// What is read at the moment of asking: the finder's counters, and connections.
struct Snapshot {
    metrics: Arc<Metrics>,
    finder: FinderShell,
    gate: Arc<Gate>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        let counters = self.finder.counters();
        let (http_connections, sessions) = self.gate.open();
        let Metrics { http, keepalive, stun, .. } = &*self.metrics;
        let both = |counters: &ByteCounters| (counters.bytes_in.get(), counters.bytes_out.get());
        out.bytes(&[
            ("exchange", (counters.exchange.bytes_in, counters.exchange.bytes_out)),
            ("session", (counters.session.bytes_in, counters.session.bytes_out)),
            ("keepalive", both(keepalive)),
            ("http", both(http)),
            ("stun", both(stun)),
        ])?;
        out.gauge("http_connections", "Connections that are no sessions, now", http_connections)?;
        out.gauge("sessions", "Finder sessions now", sessions)?;
        out.gauge("attached_sessions", "Sessions that hold mailboxes, now", counters.attached as usize)?;
        out.counters("attaches", "Attaches that succeeded", "", &[("", counters.attaches)])?;
        let finds = &counters.finds;
        out.counters(
            "finds",
            "Finds, by outcome",
            "outcome",
            &[
                ("admitted", finds.admitted),
                ("offline", finds.offline),
                ("ticket-invalid", finds.ticket_invalid),
                ("public", finds.public),
                ("knock", finds.knocks),
                ("absent", finds.absent),
                ("dropped", finds.dropped),
                ("rate-limited", finds.rate_limited),
                ("too-many", finds.too_many),
                ("draining", finds.draining),
            ],
        )?;
        out.counters("answers", "Answers passed to seekers", "", &[("", counters.answers)])?;
        out.counters(
            "exchange_limits",
            "Exchanges that used up their limits",
            "",
            &[("", counters.exchange_limits)],
        )?;
        out.counters(
            "kept_knocks",
            "Knocks kept for absent peers, by step",
            "step",
            &[
                ("to-store", counters.knocks_to_store),
                ("fetched", counters.knocks_fetched),
                ("taken", counters.knocks_taken),
            ],
        )?;
        out.counters("turn_credentials", "TURN credentials minted", "", &[("", counters.turn_credentials)])?;
        let by_code = |codes: &std::collections::BTreeMap<openpeer_core::Code, u64>| {
            codes.iter().map(|(code, count)| (code.as_str(), *count)).collect::<Vec<_>>()
        };
        out.counters("refusals", "Error frames sent, by code", "code", &by_code(&counters.refusals))?;
        out.counters("closes", "Sessions closed by the finder, by reason", "code", &by_code(&counters.closes))
    }
}

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn bytes(&mut self, kinds: &[(&str, (u64, u64))]) -> fmt::Result {
        let help =
            "Bytes by kind of traffic; sessions without TLS and, except keepalive, without WebSocket framing";
        let mut metric = self.0.encode_descriptor("bytes", help, None, MetricType::Counter)?;
        for (kind, (bytes_in, bytes_out)) in kinds {
            for (direction, value) in [("in", bytes_in), ("out", bytes_out)] {
                let labels = [("kind", *kind), ("direction", direction)];
                encode_counter(&mut metric.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }

    /// Counters that differ in one label; an empty label name means none.
    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (text, value) in values {
            if label.is_empty() {
                encode_counter(&mut metric, value)?;
            } else {
                encode_counter(&mut metric.encode_family(&[(label, *text)])?, value)?;
            }
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&(value as i64))
    }
}

fn encode_counter(
    metric: &mut prometheus_client::encoding::MetricEncoder<'_>,
    value: &impl EncodeCounterValue,
) -> fmt::Result {
    metric.encode_counter::<NoLabelSet, _, u64>(value, None)
}
