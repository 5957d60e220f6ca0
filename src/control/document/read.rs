//! From a document to the model: the inventory's own readers check every object.

use serde_json::Value;

use super::{Document, ObjectKind};
use crate::control::config::Config;
use crate::control::inventory::{Inventory, REGION_KEYS};
use crate::control::model::Model;
use crate::control::raw::{List, Object, Problem, Sink};
use crate::control::regions::Regions;

/// What complaints name in the place of a file.
pub const NAME: &str = "inventory";

impl Document {
    /// The model of a document, without filters and sessions.
    ///
    /// # Errors
    /// Every problem, each with a path such as `NetworkInterfaces[eni-a].Mtu`.
    pub fn read(&self, config: &Config, regions: &Regions) -> Result<Model, Vec<Problem>> {
        let sink = Sink::new(NAME);
        self.check_ids(&sink);
        let facts = Value::Object((*self.region).clone());
        let Some(root) = Object::new(&sink, "", &facts, &REGION_KEYS, &[]) else {
            return Err(sink.into_problems());
        };
        let inventory = Inventory {
            root,
            accounts: self.listed(ObjectKind::Account),
            vpcs: self.listed(ObjectKind::Vpc),
            subnets: self.listed(ObjectKind::VSwitch),
            instances: self.listed(ObjectKind::Instance),
            enis: self.listed(ObjectKind::NetworkInterface),
            one_by_one: true,
        };
        let (model, _) = inventory.read(config, regions);
        drop(inventory);
        if sink.is_clean() { Ok(model) } else { Err(sink.into_problems()) }
    }

    fn listed(&self, kind: ObjectKind) -> List<'_> {
        let path = |id: &str| format!("{}[{id}]", kind.list());
        let items = self.objects(kind).iter().map(|(id, object)| (path(id), &**object)).collect();
        List { items, readable: true }
    }

    /// An object says the id by which it is known.
    fn check_ids(&self, sink: &Sink) {
        for kind in ObjectKind::ALL {
            for (id, object) in self.objects(kind) {
                let said = object.get(kind.id_key());
                // What has no id at all is complained about where it is read.
                if said.is_some_and(|said| said.as_str() != Some(id)) {
                    let path = format!("{}[{id}].{}", kind.list(), kind.id_key());
                    sink.report(path, said, format!("the object is known as {id}: both must agree"));
                }
            }
        }
    }
}
