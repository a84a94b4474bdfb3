use crate::support::{Entry, check, public_key, read};
use openpeer_core::document::PeerId;
use openpeer_core::encoding::{from_base64url, hash_fields, to_base64url};
use openpeer_core::frame::MailboxId;
use openpeer_core::key::{InboxSecret, Keyring, PublicKey, RecoveryCode, Seed, Signature, SigningKeyName};
use openpeer_core::peer::safety_number;
use openpeer_core::uri::{Address, FinderUrl, is_dialable};
use serde_json::Value;

#[test]
fn hashes() {
    for entry in read("keys.json").get_list("hash") {
        let fields: Vec<Vec<u8>> = entry.get_texts("fields").into_iter().map(crate::support::bytes).collect();
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        assert_eq!(hash_fields(entry.get_text("label"), &fields), entry.get_array("hash"));
    }
}

#[test]
fn signing_keys() {
    for entry in read("keys.json").get_list("signing_keys") {
        let key = entry.get_seed("seed").public_key();
        assert_eq!(*key.as_bytes(), entry.get_array("public"));
        assert_eq!(key, public_key(entry.get_text("text")));
        assert_eq!(key.id().to_string(), entry.get_text("key_id"));
        assert_eq!(key.commitment().to_string(), entry.get_text("commitment"));
        let signature = Signature::from_text(entry.get_text("signature_of_abc")).unwrap();
        key.verify(b"abc", &signature).unwrap();
    }
}

#[test]
fn inbox_keys() {
    for entry in read("keys.json").get_list("inbox_keys") {
        let key = InboxSecret::new(entry.get_array("seed")).public_key();
        assert_eq!(serde_json::to_value(&key).unwrap(), entry["public"]);
        assert_eq!(key.id().to_string(), entry.get_text("inbox_key_id"));
    }
}

#[test]
fn derived_keys() {
    for entry in read("keys.json").get_list("derived_keys") {
        let (seed, derived) = (entry.get_seed("seed"), entry.get_array("derived_seed"));
        let context = entry.get_bytes("context");
        let keyring = Keyring::new(seed.clone(), seed);
        let url = || String::from_utf8(context.clone()).unwrap();
        let name = match entry.get_text("label") {
            "openpeer/mailbox/v1" => SigningKeyName::Mailbox(url()),
            "openpeer/guest-mailbox/v1" => SigningKeyName::GuestMailbox(url()),
            "openpeer/guest-inbox/v1" => {
                let secret = keyring.guest_inbox(u32::from_be_bytes(context.try_into().unwrap()));
                assert_eq!(*secret.expose(), derived);
                assert_eq!(secret.public_key().id().to_string(), entry.get_text("inbox_key_id"));
                continue;
            }
            label => panic!("unknown label {label}"),
        };
        let key = keyring.public_key(&name).unwrap();
        assert_eq!(key, Seed::new(derived).public_key());
        assert_eq!(*key.as_bytes(), entry.get_array("public"));
        assert_eq!(MailboxId::of(&key).to_string(), entry.get_text("mailbox_id"));
    }
}

#[test]
fn peer_ids() {
    let file = read("keys.json");
    let entry = &file["peer_id"];
    let peer = PeerId::of_inception(entry.get_text("inception").as_bytes());
    assert_eq!(*peer.as_bytes(), entry.get_array("hash"));
    assert_eq!(peer.to_string(), entry.get_text("peer_id"));
    for other in entry.get_texts("same_outside_documents") {
        assert_eq!(PeerId::from_text(other).unwrap(), peer);
        assert!(serde_json::from_value::<PeerId>(Value::from(other)).is_err());
    }
    for refused in entry.get_texts("refused") {
        assert!(PeerId::from_text(refused).is_err(), "{refused}");
    }
}

#[test]
fn recovery_codes() {
    let file = read("keys.json");
    let entry = &file["recovery_code"];
    let code = RecoveryCode::from_entropy(entry.get_array("code"));
    assert_eq!(code.to_text(), entry.get_text("text"));
    let salt = entry.get_array("salt");
    let first = code.root_seed(&salt, 1);
    for same in entry.get_texts("same") {
        assert_eq!(RecoveryCode::from_text(same).unwrap().root_seed(&salt, 1), first);
    }
    for refused in entry.get_texts("refused") {
        assert!(RecoveryCode::from_text(refused).is_err(), "{refused}");
    }
    for root in entry.get_list("root_keys") {
        let seed = code.root_seed(&salt, root.get_number("statement"));
        assert_eq!(*seed.expose(), root.get_array("seed"));
        assert_eq!(seed.public_key().commitment().to_string(), root.get_text("commitment"));
    }
}

#[test]
fn safety_numbers() {
    let file = read("keys.json");
    let entry = &file["safety_number"];
    let peers = entry.get_texts("peers").into_iter().map(|text| PeerId::from_text(text).unwrap());
    let peers: Vec<PeerId> = peers.collect();
    assert_eq!(safety_number(peers[0], peers[1]), entry.get_text("number"));
    assert_eq!(safety_number(peers[1], peers[0]), entry.get_text("number"));
}

#[test]
fn text_forms() {
    let file = read("keys.json");
    for entry in file["base64url"].get_list("same") {
        assert_eq!(from_base64url(entry.get_text("text")).unwrap(), entry.get_bytes("bytes"));
        assert_eq!(to_base64url(&entry.get_bytes("bytes")), entry.get_text("text"));
    }
    for refused in file["base64url"].get_texts("refused") {
        assert!(from_base64url(refused).is_err(), "{refused:?}");
    }
    for entry in file["addresses"].get_list("same") {
        let address = Address::from_text(entry.get_text("text")).unwrap();
        assert_eq!(address.to_string(), entry.get_text("canonical"));
    }
    for entry in file["addresses"].get_list("refused") {
        check(Address::from_text(entry.get_text("text")), entry);
    }
    for url in file["finder_urls"].get_texts("accepted") {
        assert_eq!(FinderUrl::from_text(url).unwrap().as_str(), url);
    }
    for entry in file["finder_urls"].get_list("refused") {
        check(FinderUrl::from_text(entry.get_text("url")), entry);
    }
    for entry in file.get_list("dialable") {
        let address = entry.get_text("address").parse().unwrap();
        assert_eq!(Some(is_dialable(address, false)), entry["dialable"].as_bool(), "{address}");
        assert_eq!(Some(is_dialable(address, true)), entry["in_development"].as_bool(), "{address}");
    }
}

#[test]
fn disputed_signatures_are_all_refused() {
    let file = read("ed25519.json");
    let cases = file.get_list("cases");
    assert_eq!(cases.len(), 12);
    for entry in cases {
        let key = PublicKey::from_bytes(&entry.get_array("public"));
        assert_eq!(Some(key.is_ok()), entry["key_accepted"].as_bool(), "{}", entry["why"]);
        let signature = Signature(entry.get_array("signature"));
        let accepted = key.is_ok_and(|key| key.verify(&entry.get_bytes("message"), &signature).is_ok());
        assert!(!accepted && entry["accepted"] == false, "{}", entry["why"]);
    }
}
