//! The inventory as requests are judged by: accounts, their keys, and ENIs, by id.

use std::collections::HashMap;
use std::sync::Arc;

use crate::control::accounts_file::merge;
use crate::control::api::Credential;
use crate::control::config::{Config, Quotas};
use crate::control::document::Document;
use crate::control::model::{Account, Model, RemoteEni};
use crate::control::raw::{Problem, Sink};
use crate::control::regions::Regions;

/// An inventory that was validated.
#[derive(Debug)]
pub struct World {
    /// As it was given.
    pub document: Arc<Document>,
    /// As it is compiled: of this host, without accounts, filters and sessions. Each change copies it.
    pub model: Model,
    /// ENIs of other hosts.
    remote: Vec<RemoteEni>,
    enis: HashMap<Arc<str>, Place>,
    accounts: HashMap<Arc<str>, Account>,
    /// Account and place in it, by AccessKey id.
    keys: HashMap<Arc<str>, (Arc<str>, usize)>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Local(usize),
    Remote(usize),
}

/// An ENI of any host.
#[derive(Clone, Copy, Debug)]
pub struct Eni<'a> {
    /// Its id.
    pub id: &'a Arc<str>,
    /// The account that it belongs to.
    pub owner: &'a str,
    /// It belongs to a cloud service.
    pub managed: bool,
    /// Its instance's type.
    pub instance_type: Option<&'a str>,
    /// Its index in the model, if it is on this host.
    pub local: Option<usize>,
}

impl World {
    /// No inventory at all.
    #[must_use]
    pub fn empty() -> Self {
        World {
            document: Arc::default(),
            model: Model::default(),
            remote: Vec::new(),
            enis: HashMap::new(),
            accounts: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// A document and what it means; `more` are accounts that do not stand in it.
    ///
    /// # Errors
    /// Every problem of the document.
    pub fn new(
        document: Arc<Document>,
        config: &Config,
        regions: &Regions,
        more: &[Account],
    ) -> Result<Self, Vec<Problem>> {
        let mut model = document.read(config, regions)?;
        let (remote, accounts) = (std::mem::take(&mut model.remote), std::mem::take(&mut model.accounts));
        let all = merge(&accounts, more).map_err(|twice| {
            let sink = Sink::new("api.accounts");
            twice.into_iter().for_each(|what| sink.report("", None, what));
            sink.into_problems()
        })?;
        let local = model.enis.iter().enumerate().map(|(n, eni)| (eni.id.clone(), Place::Local(n)));
        let elsewhere = remote.iter().enumerate().map(|(n, eni)| (eni.id.clone(), Place::Remote(n)));
        let enis = local.chain(elsewhere).collect();
        let keys = all.iter().flat_map(|account| {
            account.keys.iter().enumerate().map(|(n, key)| (key.id.clone(), (account.id.clone(), n)))
        });
        let keys = keys.collect();
        let accounts = all.into_iter().map(|account| (account.id.clone(), account)).collect();
        Ok(World { document, model, remote, enis, accounts, keys })
    }

    /// An ENI of the inventory.
    #[must_use]
    pub fn eni(&self, id: &str) -> Option<Eni<'_>> {
        Some(match *self.enis.get(id)? {
            Place::Local(n) => {
                let eni = &self.model.enis[n];
                let instance_type = eni.instance_type.as_deref();
                Eni { id: &eni.id, owner: &eni.owner, managed: eni.managed, instance_type, local: Some(n) }
            }
            Place::Remote(n) => {
                let eni = &self.remote[n];
                let instance_type = eni.instance_type.as_deref();
                Eni { id: &eni.id, owner: &eni.owner, managed: eni.managed, instance_type, local: None }
            }
        })
    }

    /// The index in the model of an ENI of this host.
    #[must_use]
    pub fn local(&self, id: &str) -> Option<usize> {
        self.eni(id).and_then(|eni| eni.local)
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// All accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// An account owes money.
    #[must_use]
    pub fn is_locked(&self, account: &str) -> bool {
        self.account(account).is_some_and(|account| account.locked)
    }

    /// An account's quotas.
    #[must_use]
    pub fn quotas_of(&self, account: &str, config: &Config) -> Quotas {
        self.account(account).map_or_else(|| config.quotas.clone(), |account| account.quotas.clone())
    }

    /// Whose an AccessKey is.
    #[must_use]
    pub fn credential(&self, access_key_id: &str) -> Option<Credential> {
        let (account, n) = self.keys.get(access_key_id)?;
        let key = self.accounts.get(account)?.keys.get(*n)?;
        Some(Credential { account: account.clone(), secret: key.secret.expose().clone() })
    }
}
