//! Alice and Bob as processes, with a link between them.

use crate::process::PeerProcess;
use serde_json::{Value, json};
use std::path::Path;

/// Two peers, and how each names the link between them.
#[derive(Debug)]
pub struct Couple {
    /// The one who seeks.
    pub alice: PeerProcess,
    /// The one who is found.
    pub bob: PeerProcess,
    /// The link at Alice's end.
    pub alice_link: u64,
    /// The link at Bob's end.
    pub bob_link: u64,
}

impl Couple {
    /// Alice, a stranger, knocks at `bob@b.test`; Bob says yes; both show each other their documents.
    ///
    /// # Panics
    /// If that does not succeed.
    #[must_use]
    pub fn meet(mut alice: PeerProcess, mut bob: PeerProcess) -> Self {
        alice.call(json!({ "do": "claim", "name": "alice" })).unwrap();
        bob.call(json!({ "do": "claim", "name": "bob" })).unwrap();
        let connecting = alice.begin(json!({ "do": "connect", "to": "bob@b.test", "text": "hello" }));
        let knock = bob.event("knock");
        let at_bob = bob.call(json!({ "do": "accept", "knock": knock["knock"] })).unwrap();
        let at_alice = alice.finish(connecting, crate::process::PATIENCE).unwrap().unwrap();
        let mut couple = Self { alice, bob, alice_link: link(&at_alice), bob_link: link(&at_bob) };
        couple.echo();
        couple
    }

    /// Alice closes the link, and both know.
    ///
    /// # Panics
    /// If one of them does not.
    pub fn part(&mut self) {
        self.alice.call(json!({ "do": "close", "link": self.alice_link })).unwrap();
        let _ = (self.alice.event("link-ended"), self.bob.event("link-ended"));
    }

    /// Takes the link that a `connect` of Alice gave.
    ///
    /// # Panics
    /// If Bob does not have it too.
    pub fn take_link(&mut self, at_alice: &Value) {
        self.alice_link = link(at_alice);
        self.bob_link = link(&self.bob.event("link-opened"));
    }

    /// A message there and back from each end, on channels that are opened for it.
    ///
    /// # Panics
    /// If one is lost.
    pub fn echo(&mut self) {
        let echo = |link: u64| json!({ "do": "echo", "link": link, "text": "there?" });
        assert_eq!(self.alice.call(echo(self.alice_link)).unwrap()["echo"], "there?");
        assert_eq!(self.bob.call(echo(self.bob_link)).unwrap()["echo"], "there?");
    }

    /// Everything that a link can do: messages, an ICE restart, new channels, a file, new documents.
    ///
    /// # Panics
    /// If anything of it fails.
    pub fn converse(&mut self, folder: &Path) {
        self.chat("before the restart");
        let restarted = self.alice.call(json!({ "do": "restart-ice", "link": self.alice_link }));
        assert!(
            restarted.is_ok(),
            "{restarted:?}; {} {}",
            self.alice.process.logged(),
            self.bob.process.logged()
        );
        self.chat("after the restart");
        self.echo();
        self.send_file(folder);
        self.bob.forget_events();
        self.alice.call(json!({ "do": "renew-documents" })).unwrap();
        let _ = self.bob.event("documents-updated");
    }

    fn chat(&mut self, text: &str) {
        for number in 0..10 {
            let text = format!("{number} {text}");
            let say = |link: u64| json!({ "do": "chat", "link": link, "text": text });
            self.alice.call(say(self.alice_link)).unwrap();
            self.bob.call(say(self.bob_link)).unwrap();
            assert_eq!(self.alice.event("message")["text"], text);
            assert_eq!(self.bob.event("message")["text"], text);
        }
    }

    fn send_file(&mut self, folder: &Path) {
        const BYTES: usize = 4 * 1024 * 1024 + 1;
        let content: Vec<u8> = (0..BYTES).map(|at| ((at * at) >> 7) as u8).collect();
        let file = folder.join("to-send.bin");
        std::fs::write(&file, &content).unwrap();
        let sending = self.alice.begin(json!({ "do": "send", "link": self.alice_link, "file": file }));
        let offer = self.bob.event("file-offered");
        self.bob.call(json!({ "do": "take", "offer": offer["offer"], "yes": true })).unwrap();
        self.alice.finish(sending, crate::process::PATIENCE).unwrap().unwrap();
        let received = self.bob.event("file-received");
        assert!(
            std::fs::read(received["file"].as_str().unwrap()).unwrap() == content,
            "the file is another one"
        );
    }
}

fn link(account: &Value) -> u64 {
    account["link"].as_u64().unwrap()
}
