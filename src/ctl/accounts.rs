//! Accounts. Their secrets come from files or are made up here; they are in no command line.

use hyper::Method;
use serde_json::{Value, json};

use super::changes::{last_line, path};
use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::{files, inventory, render};
use crate::cli::{AccountCommand, AccountStatus, InventoryKind, NewAccount};

/// Letters and digits of what is made up.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Letters of a made-up AccessKeyId behind its prefix, and of a secret (178 bits).
const ID_LETTERS: usize = 20;
const SECRET_LETTERS: usize = 30;

pub(super) fn run(daemon: Daemon<'_>, command: &AccountCommand) -> Result<Outcome, CtlError> {
    match command {
        AccountCommand::List => {
            let accounts = daemon.get("/v1/accounts")?;
            let rows = accounts.as_array().into_iter().flatten().map(row).collect();
            Ok(Outcome::new(render::table(&rows, render::ACCOUNT), accounts))
        }
        AccountCommand::Show { id } => Ok(Outcome::listed(daemon.get(&place(id))?, &[])),
        AccountCommand::Add(new) => add(daemon, new),
        AccountCommand::SetStatus { id, status, dry_run } => {
            // The secrets read back as stars, which a put takes for "as it was".
            inventory::edit(daemon, InventoryKind::Accounts, id, *dry_run, |account| {
                account["Status"] = json!(match status {
                    AccountStatus::Active => "active",
                    AccountStatus::FinancialLocked => "financial_locked",
                });
            })
        }
        AccountCommand::Delete { id, dry_run } => inventory::delete(daemon, InventoryKind::Accounts, id, *dry_run),
    }
}

fn place(id: &str) -> String {
    inventory::of(InventoryKind::Accounts, id)
}

/// An object in a table: of an account's AccessKeys, the ids.
pub(super) fn row(object: &Value) -> Value {
    let mut row = object.clone();
    if let Some(keys) = object["AccessKeys"].as_array() {
        row["AccessKeys"] = keys.iter().map(|key| key["AccessKeyId"].clone()).collect();
    }
    row
}

fn add(daemon: Daemon<'_>, new: &NewAccount) -> Result<Outcome, CtlError> {
    inventory::must_be_new(daemon, InventoryKind::Accounts, &new.id)?;
    let key = match &new.access_key_id {
        Some(id) => id.clone(),
        None => format!("LTAI{}", made_up(ID_LETTERS)?),
    };
    let given = new.secret_file.as_deref().map(files::secret).transpose()?;
    let shown = given.is_none() && !new.dry_run;
    let secret = match given {
        Some(secret) => secret,
        None => made_up(SECRET_LETTERS)?,
    };
    let mut account = json!({
        "AccountId": new.id,
        "Status": "active",
        "AccessKeys": [{ "AccessKeyId": key, "AccessKeySecret": secret }],
    });
    if let Some(name) = &new.name {
        account["AccountName"] = json!(name);
    }
    let mut answer = daemon.ask(Method::PUT, &path(&place(&new.id), new.dry_run), Some(&account))?;
    answer["AccessKeyId"] = json!(key);
    let mut text = last_line(&answer);
    if !new.dry_run {
        text.insert_str(0, &format!("account {} added\nAccessKeyId      {key}\n", new.id));
    }
    if shown {
        answer["AccessKeySecret"] = json!(secret);
        text.push_str(&format!("AccessKeySecret  {secret}\nThe secret is not shown again: keep it now.\n"));
    }
    Ok(Outcome::new(text, answer))
}

/// Letters and digits that nobody can guess.
fn made_up(length: usize) -> Result<String, CtlError> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|e| CtlError::refused(format!("this host gives no random bytes: {e}")))?;
        // Bytes beyond a multiple of 62 would make some letters likelier than others.
        let letters = bytes.iter().filter(|b| **b < 248).map(|b| char::from(LETTERS[usize::from(b % 62)]));
        text.extend(letters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_made_up_is_long_enough_differs_and_uses_all_letters() {
        let text = made_up(20_000).unwrap();
        assert_eq!(text.len(), 20_000);
        assert!(text.bytes().all(|b| LETTERS.contains(&b)));
        let seen = |letter: &u8| text.bytes().filter(|b| b == letter).count();
        // 322 of each are expected, with a deviation of 18.
        assert!(LETTERS.iter().all(|letter| (180..470).contains(&seen(letter))));
        assert_ne!(made_up(SECRET_LETTERS).unwrap(), made_up(SECRET_LETTERS).unwrap());
    }

    #[test]
    fn a_table_of_accounts_has_the_ids_of_keys_and_nothing_else_of_them() {
        let account = json!({"AccountId": "1001", "AccessKeys": [{"AccessKeyId": "AK", "AccessKeySecret": "***"}]});
        assert_eq!(row(&account)["AccessKeys"], json!(["AK"]));
    }
}
