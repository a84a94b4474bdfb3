//! Bad input at the command line: every command ends with a clear error, a stable code and an exit status.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use openpeer_tests::process::{DomainProcess, Said, openpeer, run};
use std::net::TcpListener;
use std::path::Path;

/// Runs `openpeer --json` with the words of a line; `DIR` stands for a folder.
fn json(folder: &Path, line: &str) -> Said {
    let folder = folder.to_str().unwrap();
    run(["--json".to_owned()]
        .into_iter()
        .chain(line.split_whitespace().map(|word| word.replace("DIR", folder))))
}

/// Fails with this code and exit status 1.
#[track_caller]
fn fails(folder: &Path, line: &str, code: &str) -> String {
    let said = json(folder, line);
    assert_eq!(said.code(), code, "{line}: {said:?}");
    assert_eq!(said.status.code(), Some(1), "{line}: {said:?}");
    let message = said.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.len() > 15, "{line}: {message}");
    message
}

/// Is refused as a misuse, in words and in JSON.
#[track_caller]
fn is_misuse(folder: &Path, line: &str) {
    let said = json(folder, line);
    assert_eq!((said.status.code(), said.code().as_str()), (Some(2), "usage"), "{line}: {said:?}");
    let words = line.split_whitespace().map(|word| word.replace("DIR", folder.to_str().unwrap()));
    let said = run(words);
    assert_eq!(said.status.code(), Some(2), "{line}: {said:?}");
    assert!(said.stdout.is_empty() && said.stderr.contains("error"), "{line}: {said:?}");
}

/// A folder with a peer in `DIR/alice`.
fn folder_with_peer() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let said = json(folder.path(), "id new --no-passphrase --data DIR/alice --domain a.test");
    assert!(said.status.success(), "{said:?}");
    folder
}

#[test]
fn wrong_arguments_are_misuse() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "nonsense",
        "serve",
        "serve --domain a.test --listen 127.0.0.1 --data DIR/s",
        "serve --domain a.test --listen 127.0.0.1:0 --data DIR/s",
        "serve --domain a.test --listen 127.0.0.1:0 --data DIR/s --dev --plain",
        "serve --domain a.test --listen 127.0.0.1:0 --data DIR/s --certificate c",
        "serve --domain a.test --listen 127.0.0.1:0 --data DIR/s --dev --names some",
        "serve --domain a.test --listen 127.0.0.1:0 --data DIR/s --dev --log =====",
        "invite",
        "invite --data DIR --count 0",
        "invite --data DIR --days many",
        "unblock --data DIR",
        "demo now",
        "id",
        "id new --resolve a.test --no-passphrase --data DIR/p",
        "id new --no-passphrase --passphrase-file f --data DIR/p",
        "id export --data DIR/p",
        "id locations --data DIR/p",
        "name",
        "name claim --data DIR/p",
        "contacts frobnicate --data DIR/p",
        "contacts rename bob --data DIR/p",
        "compare --data DIR/p",
        "listen --accept --data DIR/p",
        "find --data DIR/p",
        "find bob@b.test --patience 0 --data DIR/p",
        "chat --data DIR/p",
        "send bob@b.test --data DIR/p",
        "agent --unknown",
    ] {
        is_misuse(folder.path(), line);
    }
    assert!(!folder.path().join("s").join("store.sqlite").exists(), "nothing was begun");
}

#[test]
fn help_is_no_error() {
    for line in ["--help", "serve --help", "id new --help", "contacts rename --help", "--version"] {
        let said = run(line.split(' '));
        assert!(said.status.success() && said.stderr.is_empty(), "{line}: {said:?}");
    }
    assert_eq!(openpeer().output().unwrap().status.code(), Some(2), "no command is no use");
}

#[test]
fn a_server_says_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("broken.toml"), "domain = \"a.test\"\nlisten = [\n").unwrap();
    std::fs::write(
        at.join("unknown.toml"),
        "domain = \"a.test\"\nlisten = [\"127.0.0.1:0\"]\ndata = \"d\"\nport = 1\n",
    )
    .unwrap();
    std::fs::write(at.join("garbage.pem"), "garbage").unwrap();
    std::fs::write(at.join("file"), "").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let free = "--domain a.test --listen 127.0.0.1:0";

    assert!(fails(at, "serve --config DIR/absent.toml", "start-unreadable").contains("absent.toml"));
    assert!(fails(at, "serve --config DIR/broken.toml", "start-config").contains("line"));
    assert!(fails(at, "serve --config DIR/unknown.toml", "start-config").contains("port"));
    let busy = format!("serve --dev --domain a.test --listen {taken} --data DIR/busy");
    assert!(fails(at, &busy, "start-bind").contains("another port"));
    fails(at, "serve --dev --domain a..test --listen 127.0.0.1:0 --data DIR/d", "invalid-argument");
    let open = "serve --plain --domain a.test --listen 0.0.0.0:0 --data DIR/open";
    assert!(fails(at, open, "start-plain-http").contains("--dev"));
    fails(
        at,
        &format!("serve {free} --data DIR/d --certificate DIR/no.pem --key DIR/no.pem"),
        "start-unreadable",
    );
    fails(
        at,
        &format!("serve {free} --data DIR/d --certificate DIR/garbage.pem --key DIR/garbage.pem"),
        "start-certificate",
    );
    let said = json(at, &format!("serve --dev {free} --data DIR/file/data"));
    assert!(said.status.code() == Some(1) && !said.code().is_empty(), "{said:?}");

    let server = DomainProcess::start(at, "a.test", &[], "127.0.0.1");
    fails(at, &format!("serve --dev {free} --data DIR/a.test"), &locked(at));
    drop(server);
    assert!(
        fails(at, "serve --dev --domain b.test --listen 127.0.0.1:0 --data DIR/a.test", "start-other-domain")
            .contains("a.test")
    );
}

/// The code of a store that another process has open.
fn locked(folder: &Path) -> String {
    let said = json(folder, "invite --data DIR/a.test");
    assert!(said.json()["error"]["message"].as_str().unwrap().contains("another"), "{said:?}");
    said.code()
}

#[test]
fn an_operator_hears_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fails(folder.path(), "invite --data DIR/absent", "invalid-argument");
    drop(DomainProcess::start(folder.path(), "a.test", &[], "127.0.0.1"));
    fails(folder.path(), "unblock nobody --data DIR/a.test", "not-found");
    fails(folder.path(), "unblock ! --data DIR/a.test", "name-invalid");
    let said = json(folder.path(), "invite --data DIR/a.test --count 2");
    assert!(said.status.success() && said.stdout.lines().count() == 2, "{said:?}");
}

#[test]
fn keys_are_not_opened_overwritten_or_made_by_mistake() {
    let folder = folder_with_peer();
    let at = folder.path();
    std::fs::write(at.join("right"), "a passphrase\n").unwrap();
    std::fs::write(at.join("wrong"), "another\n").unwrap();
    std::fs::write(at.join("empty"), "").unwrap();
    assert!(json(at, "id new --data DIR/locked --passphrase-file DIR/right").status.success());
    assert!(json(at, "id show --data DIR/locked --passphrase-file DIR/right").status.success());

    fails(at, "id show --data DIR/absent --no-passphrase", "keystore-missing");
    fails(at, "id show --data DIR/locked --passphrase-file DIR/wrong", "wrong-passphrase");
    fails(at, "id show --data DIR/locked --passphrase-file DIR/empty", "file");
    fails(at, "id show --data DIR/locked --passphrase-file DIR/absent", "file");
    fails(at, "id show --data DIR/locked --no-passphrase", "passphrase-required");
    assert!(fails(at, "id show --data DIR/locked", "passphrase-required").contains("OPENPEER_PASSPHRASE"));
    fails(at, "id new --data DIR/new", "passphrase-required");
    fails(at, "id new --data DIR/alice --no-passphrase", "keystore-exists");
    fails(at, "id new --data DIR/new --no-passphrase --domain bücher.test", "invalid-argument");
    fails(at, "id new --data DIR/new --no-passphrase --cacert DIR/wrong", "invalid-argument");
    fails(at, "id new --data DIR/new --no-passphrase --cacert DIR/absent", "file");
    assert!(!at.join("new").join("keystore.json").exists());

    std::fs::write(at.join("code"), "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaa\n").unwrap();
    fails(at, "id rotate --data DIR/alice --recovery-code-file DIR/code", "no-recovery-code");
    fails(at, "id locations not-an-id --data DIR/alice", "malformed");
    fails(at, "id export DIR/wrong --data DIR/alice --export-passphrase-file DIR/right", "file");
    assert_eq!(std::fs::read(at.join("wrong")).unwrap(), b"another\n", "nothing is overwritten");
    assert!(
        json(at, "id export DIR/out --data DIR/alice --export-passphrase-file DIR/right").status.success()
    );
    let import = "id import DIR/out --data DIR/copy --no-passphrase --export-passphrase-file";
    fails(at, &format!("{import} DIR/wrong"), "wrong-passphrase");
    fails(
        at,
        "id import DIR/right --data DIR/copy --no-passphrase --export-passphrase-file DIR/right",
        "keystore-damaged",
    );
    assert!(json(at, &format!("{import} DIR/right")).status.success());
}

#[test]
fn people_who_are_not_there_are_not_found() {
    let folder = folder_with_peer();
    let at = folder.path();
    let server = DomainProcess::start(at, "a.test", &[], "127.0.0.1");
    let known = format!("--dev --data DIR/alice {}", server.options(None).join(" "));

    fails(at, &format!("find nobody@a.test {known}"), "not-found");
    fails(at, &format!("find not-an-address {known}"), "invalid-argument");
    fails(at, &format!("find bob@ {known}"), "invalid-argument");
    fails(at, &format!("chat nobody@a.test {known}"), "not-found");
    fails(at, &format!("send DIR/absent bob@a.test {known}"), "file");
    fails(at, &format!("send DIR nobody@a.test {known}"), "not-found");
    fails(at, &format!("contacts rename nobody x {known}"), "not-contact");
    fails(at, &format!("contacts block nobody {known}"), "not-contact");
    fails(at, &format!("compare nobody {known}"), "not-contact");
    fails(at, &format!("listen --accept nobody@a.test {known}"), "not-contact");
    fails(at, &format!("name claim ! {known}"), "name-invalid");
    fails(at, &format!("name claim postmaster {known}"), "name-reserved");
    fails(at, &format!("name release nonsense {known}"), "invalid-argument");
    assert!(json(at, &format!("name claim alice {known}")).status.success());
    assert!(json(at, &format!("contacts {known}")).status.success());
}

#[test]
fn domains_that_cannot_be_trusted_or_reached_are_named() {
    let folder = folder_with_peer();
    let at = folder.path();
    let server = DomainProcess::start(at, "a.test", &[], "127.0.0.1");
    let listen = server.address();
    // Reached, but its authority is not trusted.
    let stranger = format!("--dev --data DIR/alice --resolve a.test:443:{listen}");
    fails(at, &format!("name claim alice {stranger}"), "bad-certificate");
    fails(at, &format!("find bob@a.test {stranger}"), "bad-certificate");
    // Trusted, but for another name.
    let other =
        format!("--dev --data DIR/alice --cacert DIR/a.test/dev-ca.pem --resolve b.test:443:{listen}");
    fails(at, &format!("find bob@b.test {other}"), "bad-certificate");
    // Nothing listens there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("--dev --data DIR/alice --resolve a.test:443:{free}");
    fails(at, &format!("find bob@a.test {nobody}"), "domain-unreachable");
    fails(at, &format!("name claim alice {nobody}"), "domain-unreachable");
}

#[test]
fn one_keystore_serves_one_process() {
    use openpeer_tests::process::PeerProcess;
    let folder = tempfile::tempdir().unwrap();
    let server = DomainProcess::start(folder.path(), "a.test", &[], "127.0.0.1");
    let mut options = server.options(None);
    options.extend(["--dev".to_owned(), "--domain=a.test".to_owned()]);
    let peer = PeerProcess::start(folder.path(), "alice", &[], &options);
    fails(folder.path(), "id show --data DIR/alice", "keystore-in-use");
    assert!(peer.process.end().success());
    assert!(json(folder.path(), "id show --data DIR/alice").status.success());
}
