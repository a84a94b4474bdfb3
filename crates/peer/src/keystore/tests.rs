use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

fn passphrase(text: &str) -> Protection {
    Protection::Passphrase(Passphrase::new(text))
}

fn record(key: &str, value: &[u8]) -> (String, Vec<u8>) {
    (key.to_owned(), value.to_vec())
}

fn entries(keystore: &Keystore, kind: Kind) -> Vec<(String, Vec<u8>)> {
    let mut entries: Vec<_> =
        keystore.entries(kind).unwrap().into_iter().map(|(name, value)| (name, value.to_vec())).collect();
    entries.sort();
    entries
}

#[test]
fn gives_back_what_was_written() {
    for protection in [passphrase("correct horse"), Protection::FilePermissions] {
        let directory = tempfile::tempdir().unwrap();
        let keystore =
            Keystore::create(directory.path(), &protection, b"keys", &[record("self/chain", b"[]")]).unwrap();
        keystore.write(Kind::Record, "contact/p1", b"old").unwrap();
        keystore.write(Kind::Record, "contact/p1", b"new").unwrap();
        keystore.write(Kind::Record, "gone", b"gone").unwrap();
        keystore.remove(Kind::Record, "gone").unwrap();
        keystore.remove(Kind::Record, "never there").unwrap();
        keystore.write(Kind::Inbox, "key", &[7; 32]).unwrap();
        keystore.write_keyring(b"other keys").unwrap();
        drop(keystore);

        let keystore = Keystore::open(directory.path(), &protection).unwrap();
        let records =
            vec![("contact/p1".to_owned(), b"new".to_vec()), ("self/chain".to_owned(), b"[]".to_vec())];
        assert_eq!(entries(&keystore, Kind::Record), records);
        assert_eq!(entries(&keystore, Kind::Inbox), vec![("key".to_owned(), vec![7; 32])]);
        assert_eq!(keystore.keyring().unwrap().as_slice(), b"other keys");
        keystore.destroy(Kind::Inbox, "key").unwrap();
        assert_eq!(entries(&keystore, Kind::Inbox), vec![]);
    }
}

#[test]
fn says_what_is_wrong_with_the_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    drop(Keystore::create(directory.path(), &passphrase("right"), b"keys", &[]).unwrap());
    let code = |protection| Keystore::open(directory.path(), &protection).err().map(|error| error.code());
    assert_eq!(code(passphrase("wrong")), Some("wrong-passphrase"));
    assert_eq!(code(passphrase("")), Some("wrong-passphrase"));
    assert_eq!(code(Protection::FilePermissions), Some("passphrase-required"));
    assert_eq!(code(passphrase("right")), None);
}

#[test]
fn one_process_at_a_time_and_one_keystore_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Keystore::open(directory.path(), &Protection::FilePermissions);
    let create = || Keystore::create(directory.path(), &Protection::FilePermissions, b"keys", &[]);
    assert_eq!(open().err().unwrap().code(), "keystore-missing");
    let keystore = create().unwrap();
    assert_eq!(open().err().unwrap().code(), "keystore-in-use");
    drop(keystore);
    assert_eq!(create().err().unwrap().code(), "keystore-exists");
    open().unwrap();
}

#[test]
fn notices_every_altered_byte_and_exchanged_files() {
    let directory = tempfile::tempdir().unwrap();
    let keystore = Keystore::create(directory.path(), &Protection::FilePermissions, b"keys", &[]).unwrap();
    for name in ["one", "two"] {
        keystore.write(Kind::Record, name, name.as_bytes()).unwrap();
    }
    let [one, two] = ["one", "two"].map(|name| keystore.place(Kind::Record, name).1);
    let original = std::fs::read(&one).unwrap();
    for at in 0..original.len() {
        let mut altered = original.clone();
        altered[at] ^= 1;
        std::fs::write(&one, &altered).unwrap();
        let expected = if at == 3 { "keystore-too-new" } else { "keystore-damaged" };
        assert_eq!(keystore.entries(Kind::Record).unwrap_err().code(), expected, "byte {at}");
    }
    for length in 0..original.len() {
        std::fs::write(&one, &original[..length]).unwrap();
        assert_eq!(keystore.entries(Kind::Record).unwrap_err().code(), "keystore-damaged", "{length} bytes");
    }
    std::fs::copy(&two, &one).unwrap();
    assert_eq!(keystore.entries(Kind::Record).unwrap_err().code(), "keystore-damaged");
    std::fs::write(&one, original).unwrap();
    assert_eq!(entries(&keystore, Kind::Record).len(), 2);
}

#[test]
fn a_damaged_header_neither_panics_nor_eats_memory() {
    let directory = tempfile::tempdir().unwrap();
    drop(Keystore::create(directory.path(), &passphrase("p"), b"keys", &[]).unwrap());
    let path = directory.path().join(HEADER);
    let header = std::fs::read_to_string(&path).unwrap();
    for (from, to, code) in [
        ("\"v\":1", "\"v\":2", "keystore-too-new"),
        ("\"memory_kib\":65536", "\"memory_kib\":4294967295", "keystore-damaged"),
        ("\"passes\":3", "\"passes\":4000000000", "keystore-damaged"),
        ("\"lanes\":4", "\"lanes\":0", "keystore-damaged"),
        ("{", "", "keystore-damaged"),
    ] {
        std::fs::write(&path, header.replacen(from, to, 1)).unwrap();
        assert_eq!(Keystore::open(directory.path(), &passphrase("p")).err().unwrap().code(), code, "{to}");
    }
}

/// Neither the names of contacts nor any content is readable in the directory.
#[test]
fn the_files_tell_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let keystore = Keystore::create(directory.path(), &passphrase("hush"), b"secret-keys", &[]).unwrap();
    keystore.write(Kind::Record, "contact/bob-of-b-test", b"secret-value").unwrap();
    for folder in [directory.path().to_owned(), directory.path().join("records")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            assert!(!entry.file_name().to_string_lossy().contains("bob"));
            if entry.file_type().unwrap().is_file() {
                let content = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
                assert!(!content.contains("secret") && !content.contains("bob") && !content.contains("hush"));
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("keystore");
    let keystore =
        Keystore::create(&directory, &Protection::FilePermissions, b"keys", &[record("a", b"b")]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in [HEADER, KEYRING, LOCK] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&keystore.place(Kind::Record, "a").1), 0o600);
    drop(keystore);
    std::fs::set_permissions(directory.join(HEADER), std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Keystore::open(&directory, &Protection::FilePermissions).err().unwrap();
    assert_eq!(error.code(), "keystore-exposed");
}

/// Tells the writing process its directory.
const DIRECTORY: &str = "OPENPEER_KEYSTORE_KILL_TEST_DIRECTORY";
/// Acknowledged writes after which the process is killed, round by round, all in the same directory.
const KILL_AFTER: [u64; 5] = [1, 3, 20, 70, 150];
/// Record that the writing process replaces again and again.
const COUNTER: &str = "counter";

/// A process that dies by SIGKILL in the middle of its writes leaves a keystore that opens and holds at least the last
/// acknowledged state.
#[test]
fn survives_being_killed_while_writing() {
    let directory = tempfile::tempdir().unwrap();
    drop(
        Keystore::create(directory.path(), &Protection::FilePermissions, &[0; 64], &[record(COUNTER, b"0")])
            .unwrap(),
    );
    for kill_after in KILL_AFTER {
        let acknowledged = write_and_die(directory.path(), kill_after);
        let keystore = Keystore::open(directory.path(), &Protection::FilePermissions).unwrap();
        let stored = entries(&keystore, Kind::Record);
        assert_eq!(stored.len(), 1);
        let stored: u64 = String::from_utf8(stored[0].1.clone()).unwrap().parse().unwrap();
        assert!(stored >= acknowledged, "{stored} is stored, {acknowledged} was acknowledged");
        let keyring = keystore.keyring().unwrap();
        assert!(keyring.len() == 64 && keyring.iter().all(|byte| *byte == keyring[0]), "half a keyring");
    }
}

/// The last number that the process acknowledged.
fn write_and_die(directory: &Path, kill_after: u64) -> u64 {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keystore::tests::writing_process", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut last, mut count) = (0, 0);
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        // The test harness adds words of its own; a line cut off by the kill has no end mark.
        let line = line.unwrap();
        let Some((_, number)) = line.split_once("acknowledged ") else { continue };
        let Some(number) = number.strip_suffix('.') else { continue };
        (last, count) = (number.parse().unwrap(), count + 1);
        if count == kill_after {
            process.kill().unwrap(); // SIGKILL
        }
    }
    assert!(!process.wait().unwrap().success(), "the process was to be killed");
    last
}

#[test]
#[ignore = "started by survives_being_killed_while_writing"]
#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn writing_process() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let keystore = Keystore::open(Path::new(&directory), &Protection::FilePermissions).unwrap();
    let start: u64 =
        String::from_utf8(entries(&keystore, Kind::Record)[0].1.clone()).unwrap().parse().unwrap();
    let end = Instant::now() + std::time::Duration::from_secs(60);
    for number in (start + 1..).take_while(|_| Instant::now() < end) {
        keystore.write(Kind::Record, COUNTER, number.to_string().as_bytes()).unwrap();
        keystore.sync(Kind::Record).unwrap();
        keystore.write_keyring(&[number.to_le_bytes()[0]; 64]).unwrap();
        println!("acknowledged {number}.");
    }
}
