//! What the network sees of a knock: two peers in network namespaces of their own, their servers in a third one that
//! also routes between them, and tcpdump on all of its interfaces. Needs root.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use openpeer_tests::process::{DomainProcess, PATIENCE, PeerProcess, wait_until};
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ALICE: &str = "10.77.1.2";
const BOB: &str = "10.77.2.2";
const SERVERS: &str = "10.77.1.1";

/// How long the network is watched for packets that must not come. Connectivity checks begin within milliseconds.
const WATCH: Duration = Duration::from_secs(2);

#[test]
fn no_address_of_either_side_reaches_the_other_before_the_yes() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new();
    let a = DomainProcess::start(folder.path(), "a.test", &network.inside("s"), SERVERS);
    let b = DomainProcess::start(folder.path(), "b.test", &network.inside("s"), SERVERS);
    let options = |own: &str| {
        let mut options = [a.options(None), b.options(None)].concat();
        options.extend([format!("--domain={own}"), "--dev".to_owned()]);
        options
    };
    let capture = Capture::start(&network, &folder.path().join("packets"));
    let mut alice = PeerProcess::start(folder.path(), "alice", &network.inside("a"), &options("a.test"));
    let mut bob = PeerProcess::start(folder.path(), "bob", &network.inside("b"), &options("b.test"));
    alice.call(json!({ "do": "claim", "name": "alice" })).unwrap();
    bob.call(json!({ "do": "claim", "name": "bob" })).unwrap();

    let connecting = alice.begin(json!({ "do": "connect", "to": "bob@b.test", "text": "hello" }));
    let knock = bob.event("knock");
    assert!(!knock.to_string().contains(ALICE), "the knock names an address: {knock}");
    assert_eq!(bob.process.line_within(WATCH), None, "nothing happens until Bob decides");
    assert_eq!(capture.packets(), [""; 0], "packets between the peers before the yes");
    for peer in [&alice, &bob] {
        let log = peer.process.logged();
        assert!(!log.contains(ALICE) && !log.contains(BOB), "an address in a log: {log}");
    }

    bob.call(json!({ "do": "accept", "knock": knock["knock"] })).unwrap();
    alice.finish(connecting, PATIENCE).unwrap().unwrap();
    wait_until("the capture shows the link, as it would have shown any packet before", || {
        !capture.packets().is_empty()
    });
}

/// Three namespaces: `a` and `b` for the peers, `s` for the servers and the way between them.
struct Network {
    prefix: String,
}

impl Network {
    fn new() -> Self {
        let network = Self { prefix: format!("openpeer{}", std::process::id()) };
        for name in ["a", "b", "s"] {
            command("ip", &["netns", "add", &network.name(name)]);
            network.run(name, "ip", &["link", "set", "lo", "up"]);
        }
        for (peer, net) in [("a", "10.77.1"), ("b", "10.77.2")] {
            let (outer, inner) = (format!("to-{peer}"), "eth0");
            let (s, p) = (network.name("s"), network.name(peer));
            command(
                "ip",
                &["link", "add", &outer, "netns", &s, "type", "veth", "peer", "name", inner, "netns", &p],
            );
            network.run("s", "ip", &["address", "add", &format!("{net}.1/24"), "dev", &outer]);
            network.run("s", "ip", &["link", "set", &outer, "up"]);
            network.run(peer, "ip", &["address", "add", &format!("{net}.2/24"), "dev", inner]);
            network.run(peer, "ip", &["link", "set", inner, "up"]);
            network.run(peer, "ip", &["route", "add", "default", "via", &format!("{net}.1")]);
        }
        network.run("s", "sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"]);
        network
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// What a command line begins with to run in a namespace.
    fn inside(&self, name: &str) -> Vec<String> {
        ["ip", "netns", "exec"].map(str::to_owned).into_iter().chain([self.name(name)]).collect()
    }

    fn run(&self, name: &str, program: &str, arguments: &[&str]) {
        let inside = self.inside(name);
        let words: Vec<&str> = inside[1..].iter().map(String::as_str).chain([program]).collect();
        command(&inside[0], &[&words, arguments].concat());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in ["a", "b", "s"] {
            // What is not there any more need not be removed.
            let _ =
                Command::new("ip").args(["netns", "delete", &self.name(name)]).stderr(Stdio::null()).status();
        }
    }
}

fn command(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?} (root is needed): {output:?}");
}

/// Everything that passes between the two peers.
struct Capture {
    child: Child,
    packets: PathBuf,
}

impl Capture {
    fn start(network: &Network, packets: &Path) -> Self {
        let inside = network.inside("s");
        let filter = format!("host {ALICE} and host {BOB}");
        let notes = packets.with_extension("notes");
        let child = Command::new(&inside[0])
            .args(&inside[1..])
            .args(["tcpdump", "-n", "-l", "--immediate-mode", "-i", "any", &filter])
            .stdout(File::create(packets).unwrap())
            .stderr(File::create(&notes).unwrap())
            .spawn()
            .unwrap();
        wait_until("tcpdump listens", || std::fs::read_to_string(&notes).unwrap().contains("listening on"));
        Self { child, packets: packets.to_owned() }
    }

    fn packets(&self) -> Vec<String> {
        std::fs::read_to_string(&self.packets).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
