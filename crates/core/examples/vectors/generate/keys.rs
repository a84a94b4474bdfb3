//! Keys, ids, derivations and text forms (sections 3.1 to 3.4 and 8).

use super::cast::{Person, finder_url};
use super::json::{Json, hex, object};
use super::{book, cast};
use openpeer_core::encoding::hash_fields;
use openpeer_core::frame::MailboxId;
use openpeer_core::key::{InboxSecret, RecoveryCode, Seed, SigningKeyName};
use openpeer_core::peer::safety_number;
use openpeer_core::uri::{Address, FinderUrl, is_dialable};

pub(crate) fn file() -> Json {
    object! {
        "hash": hashes(),
        "signing_keys": signing_keys(),
        "inbox_keys": inbox_keys(),
        "derived_keys": derived_keys(),
        "peer_id": peer_id(),
        "recovery_code": recovery_code(),
        "safety_number": safety(),
        "base64url": base64url(),
        "addresses": addresses(),
        "finder_urls": finder_urls(),
        "dialable": dialable(),
    }
}

fn hashes() -> Json {
    let lists: [(&str, &[&[u8]]); 4] =
        [("openpeer/test", &[]), ("openpeer/test", &[b""]), ("l", &[b"ab", b"c"]), ("l", &[b"a", b"bc"])];
    let one = |(label, fields): (&str, &[&[u8]])| {
        assert_eq!(hash_fields(label, fields), book::hash(label, fields));
        let list: Vec<String> = fields.iter().map(|field| hex(field)).collect();
        object! { "label": label, "fields": list, "hash": hex(&book::hash(label, fields)) }
    };
    lists.map(one).to_vec().into()
}

fn signing_keys() -> Json {
    let people = [Person::alice(), Person::bob()];
    let seeds = people.iter().flat_map(|person| [person.root.clone(), person.location.clone()]);
    let one = |seed: Seed| {
        let key = seed.public_key();
        assert_eq!(key.id().0, book::short_hash("openpeer/key/v1", &[key.as_bytes()]));
        assert_eq!(key.commitment().0, book::hash("openpeer/next/v1", &[key.as_bytes()]));
        object! {
            "seed": hex(seed.expose()),
            "public": hex(key.as_bytes()),
            "text": key.to_string(),
            "key_id": key.id().to_string(),
            "commitment": key.commitment().to_string(),
            "signature_of_abc": seed.sign(b"abc").to_string(),
        }
    };
    seeds.map(one).collect::<Vec<_>>().into()
}

fn inbox_keys() -> Json {
    let one = |secret: InboxSecret| {
        let key = secret.public_key();
        object! {
            "seed": hex(secret.expose()),
            "public": serde_json::to_value(&key).unwrap().as_str().unwrap(),
            "inbox_key_id": key.id().to_string(),
        }
    };
    [Person::alice().inbox(), Person::bob().inbox()].map(one).to_vec().into()
}

fn derived_keys() -> Json {
    let bob = Person::bob();
    let (keyring, url) = (bob.keyring(), finder_url("b.test"));
    let mailbox = |label: &'static str, from: &'static str, seed: &Seed, name: SigningKeyName| {
        let derived = book::derived_seed(seed.expose(), label, url.as_bytes());
        let public = keyring.public_key(&name).unwrap();
        assert_eq!(public, Seed::new(derived).public_key());
        let id = MailboxId::of(&public);
        assert_eq!(id.0, book::short_hash("openpeer/mailbox/v1", &[public.as_bytes()]));
        object! {
            "from": from, "seed": hex(seed.expose()), "label": label, "context": hex(url.as_bytes()),
            "derived_seed": hex(&derived), "public": hex(public.as_bytes()), "mailbox_id": id.to_string(),
        }
    };
    let guest_inbox = |period: u32| {
        let label = "openpeer/guest-inbox/v1";
        let derived = book::derived_seed(bob.root.expose(), label, &period.to_be_bytes());
        assert_eq!(keyring.guest_inbox(period).expose(), &derived);
        object! {
            "from": "root", "seed": hex(bob.root.expose()), "label": label,
            "context": hex(&period.to_be_bytes()), "derived_seed": hex(&derived),
            "inbox_key_id": InboxSecret::new(derived).public_key().id().to_string(),
        }
    };
    let period = cast::NOW.as_secs() / (30 * 24 * 3600);
    let list = vec![
        mailbox("openpeer/mailbox/v1", "location", &bob.location, SigningKeyName::Mailbox(url.clone())),
        mailbox("openpeer/guest-mailbox/v1", "root", &bob.root, SigningKeyName::GuestMailbox(url.clone())),
        guest_inbox(u32::try_from(period).unwrap()),
    ];
    list.into()
}

fn peer_id() -> Json {
    let alice = Person::alice();
    let payload = serde_json::to_vec(alice.chain.head()).unwrap();
    let hash = book::hash("openpeer/inception/v1", &[&payload]);
    assert_eq!(alice.peer().as_bytes(), &hash);
    let text = alice.peer().to_string();
    let refused = vec![
        text[..53].to_owned(),
        format!("{text}a"),
        text.replacen("p1", "p2", 1),
        format!("p1{}", "1".repeat(52)),
        text[2..].to_owned(),
    ];
    object! {
        "inception": String::from_utf8(payload).unwrap(),
        "hash": hex(&hash),
        "peer_id": text.clone(),
        "same_outside_documents": vec![text.to_uppercase()],
        "refused": refused,
    }
}

fn recovery_code() -> Json {
    let alice = Person::alice();
    let code = RecoveryCode::from_entropy(alice.code);
    let text = code.to_text();
    let number = |seq: u64| {
        let seed = book::recovery_seed(&alice.code, &alice.salt.0, seq);
        assert_eq!(code.root_seed(&alice.salt.0, seq).expose(), &seed);
        let key = Seed::new(seed).public_key();
        object! {
            "statement": seq, "seed": hex(&seed), "public": hex(key.as_bytes()),
            "commitment": key.commitment().to_string(),
        }
    };
    object! {
        "code": hex(&alice.code),
        "checksum": hex(&book::hash("openpeer/recovery-check/v1", &[&alice.code])[..2]),
        "text": text.clone(),
        "same": vec![text.to_uppercase(), text.replace('-', " "), text.replace('-', "")],
        "refused": vec![text[1..].to_owned(), text.replacen(&text[..1], "7", 1), String::new()],
        "salt": hex(&alice.salt.0),
        "root_keys": vec![number(1), number(2)],
    }
}

fn safety() -> Json {
    let (alice, bob) = (Person::alice().peer(), Person::bob().peer());
    let mut ids = [alice, bob];
    ids.sort_unstable();
    let digits: String = ids.iter().map(|id| book::safety_half(id.as_bytes())).collect();
    let number = safety_number(alice, bob);
    assert_eq!(number.replace(' ', ""), digits);
    object! { "peers": vec![alice.to_string(), bob.to_string()], "number": number }
}

fn base64url() -> Json {
    let good = [vec![], vec![1], vec![0xFB, 0xFF], vec![0; 16]];
    let good = good.map(|bytes| {
        object! {
            "bytes": hex(&bytes), "text": openpeer_core::encoding::to_base64url(&bytes),
        }
    });
    object! {
        "same": good.to_vec(),
        "refused": vec!["AR", "AQ==", "AQ ", " AQ", "A", "+/8", "A\u{e4}", "AQ\n"],
    }
}

fn addresses() -> Json {
    let peer = Person::alice().peer();
    let same = |text: String| {
        let canonical = Address::from_text(&text).unwrap().to_string();
        object! { "text": text, "canonical": canonical }
    };
    let refused = |text: &str| {
        let code = Address::from_text(text).unwrap_err().code().as_str();
        object! { "text": text, "code": code }
    };
    object! {
        "same": vec![
            same("Bob@B.Test".to_owned()),
            same("bob@b.test:443".to_owned()),
            same("bob@b.test:8443".to_owned()),
            same("bob@xn--bcher-kva.test".to_owned()),
            same(peer.to_string()),
            same(format!("PEER:{}", peer.to_string().to_uppercase())),
            same(format!("peer://b.test/{peer}#later")),
        ],
        "refused": [
            "", "bob", "bob@", "@b.test", "b@b.test", "bob@b..test", "bob@-b.test", "bob@b.test:0",
            "bob@b.test:08443", "bob@b\u{fc}cher.test", "peer://b.test", "peer:p1abc", "bob@b.test/x",
        ].map(refused).to_vec(),
    }
}

fn finder_urls() -> Json {
    let accepted = [
        "wss://b.test/finder",
        "wss://b.test:8443/finder",
        "ws://b.localhost:8080/finder",
        "ws://127.0.0.1/f",
    ];
    for url in accepted {
        FinderUrl::from_text(url).unwrap();
    }
    let refused = |text: &str| {
        let code = FinderUrl::from_text(text).unwrap_err().code().as_str();
        object! { "url": text, "code": code }
    };
    object! {
        "accepted": accepted.to_vec(),
        "refused": [
            "ws://b.test/finder", "https://b.test/finder", "wss://b.test", "wss://B.test/finder",
            "wss://b.test:443/finder", "wss://u@b.test/finder", "wss://b.test/finder?x=1",
        ].map(refused).to_vec(),
    }
}

fn dialable() -> Json {
    let addresses = [
        "8.8.8.8",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "64:ff9b::808:808",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ];
    let one = |text: &str| {
        let address = text.parse().unwrap();
        object! {
            "address": text,
            "dialable": is_dialable(address, false),
            "in_development": is_dialable(address, true),
        }
    };
    addresses.map(one).to_vec().into()
}
