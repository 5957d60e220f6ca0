//! Accounts and their keys.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::control::config::Config;
use crate::control::document::Document;
use crate::control::load_regions;
use crate::control::model::Account;
use crate::control::plane::world::World;

fn world(inventory: &Value, more: &[Account]) -> World {
    let config = Config::default();
    let document = Document::from_json("inventory", inventory).unwrap();
    World::new(Arc::new(document), &config, &load_regions(&config).unwrap(), more).unwrap()
}

#[test]
fn a_key_goes_with_its_own_secret_though_its_account_stands_in_file_and_inventory() {
    let mut file = super::inventory();
    file["Accounts"][0]["AccessKeys"] = json!([{"AccessKeyId": "key-f", "AccessKeySecret": "secret-f"}]);
    let more = world(&file, &[]).model.accounts;
    let both = world(&super::inventory(), &more);
    let secret = |key: &str| both.credential(key).map(|c| (c.account.to_string(), c.secret.to_string()));
    assert_eq!(secret("key-a"), Some(("a".to_owned(), "secret-a".to_owned())));
    assert!(secret("key-f").is_none_or(|(_, secret)| secret == "secret-f"), "{:?}", secret("key-f"));
    assert_eq!(secret("key-x"), None);
}
