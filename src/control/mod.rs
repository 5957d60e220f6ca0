//! Control: configuration and objects are read, validated, compiled and published, in that order.
//!
//! With a store, requests come in by [`api`] and [`ops`] and become what is desired in [`plane`]; without one, files take
//! their place ([`objects`]).

pub mod accounts;
pub mod accounts_file;
#[cfg(test)]
mod accounts_tests;
mod across;
pub(crate) mod answers;
pub mod api;
mod attach;
mod broken;
pub mod compile;
#[cfg(test)]
mod compile_changes_tests;
#[cfg(test)]
mod compile_tests;
pub mod config;
pub mod daemon;
pub mod document;
mod duplicates;
mod enis;
pub mod fabric;
mod filters;
pub mod http;
pub mod id;
mod instances;
mod inventory;
mod layers;
pub mod model;
mod objects;
pub mod operations;
pub mod ops;
pub mod packet_text;
#[cfg(test)]
mod packet_text_tests;
pub mod plane;
pub mod platform;
pub mod quotas;
pub mod raw;
pub mod regions;
pub mod registry;
mod rule_text;
pub mod secrets;
pub(crate) mod serve;
mod sessions;
pub mod signals;
mod sockets;
mod sources;
pub mod store;
pub mod switch;
#[cfg(test)]
mod switch_tests;
pub mod tables;
pub mod version;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod validation_tests;

use std::path::Path;

use serde_json::Value;

use broken::Broken;
use config::Config;
use document::Document;
use model::Model;
use raw::{Problem, Sink};
use regions::Regions;

/// Reads and validates inventory and mirror objects, and the list of regions if the configuration names one.
///
/// # Errors
/// Every problem of all files.
pub fn load_model(inventory: &Path, mirror: &Path, config: &Config) -> Result<Model, Vec<Problem>> {
    parse_model(text_of(inventory), text_of(mirror), text_of_regions(config), config)
}

/// Reads the list of regions: the file that the configuration names, or the built-in list.
///
/// # Errors
/// Every problem of the file.
pub fn load_regions(config: &Config) -> Result<Regions, Vec<Problem>> {
    let (sink, tree) = tree(text_of_regions(config));
    let regions = tree.map_or_else(Regions::new, |tree| regions::read(&sink, &tree));
    if sink.is_clean() { Ok(regions) } else { Err(sink.into_problems()) }
}

fn text_of_regions(config: &Config) -> Named {
    let file = &config.files.regions;
    if file.as_os_str().is_empty() { built_in_regions() } else { text_of(file) }
}

fn text_of(path: &Path) -> Named {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"));
    (path.display().to_string(), text)
}

/// The same from texts, each with the name that problems mention.
///
/// # Errors
/// Every problem of both texts.
pub fn model_from_json(
    (inventory_name, inventory): (&str, &str),
    (mirror_name, mirror): (&str, &str),
    config: &Config,
) -> Result<Model, Vec<Problem>> {
    let named = |name: &str, text: &str| (name.to_owned(), Ok(text.to_owned()));
    parse_model(named(inventory_name, inventory), named(mirror_name, mirror), built_in_regions(), config)
}

type Named = (String, Result<String, String>);

fn built_in_regions() -> Named {
    ("the built-in regions".to_owned(), Ok(regions::BUILT_IN.to_owned()))
}

fn parse_model(inventory: Named, mirror: Named, regions: Named, config: &Config) -> Result<Model, Vec<Problem>> {
    let (inventory_sink, inventory) = tree(inventory);
    let (mirror_sink, mirror) = tree(mirror);
    let (regions_sink, regions) = tree(regions);
    let regions = regions.map_or_else(Regions::new, |tree| regions::read(&regions_sink, &tree));
    let (mut model, broken_enis) = match &inventory {
        Some(inventory) => inventory::read(&inventory_sink, inventory, config, &regions),
        None => (Model::default(), Broken::everything()),
    };
    if let Some(mirror) = &mirror {
        objects::read(&mirror_sink, mirror, config, &mut model, &broken_enis);
    }
    let mut problems = inventory_sink.into_problems();
    problems.extend(mirror_sink.into_problems());
    problems.extend(regions_sink.into_problems());
    if problems.is_empty() { Ok(model) } else { Err(problems) }
}

fn tree((name, text): Named) -> (Sink, Option<Value>) {
    let sink = Sink::new(name);
    let tree = text.and_then(|t| match serde_json::from_str(&t) {
        Ok(tree) => Ok((tree, duplicates::duplicate_keys(&t))),
        Err(e) => Err(format!("is not JSON: {e}")),
    });
    match tree {
        Ok((tree, twice)) => {
            twice.into_iter().for_each(|path| sink.report(path, None, "the key is given twice; once is allowed"));
            (sink, Some(tree))
        }
        Err(e) => {
            sink.report("", None, e);
            (sink, None)
        }
    }
}

/// Fuzz entry: any bytes, split at the first zero, are an inventory and a mirror file; an answer comes, never a panic.
pub fn fuzz_objects(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (inventory, mirror) = text.split_once('\0').unwrap_or((&text, ""));
    let _ = model_from_json(("inventory", inventory), ("mirror", mirror), &Config::default());
    if let (Ok(document), Ok(regions)) = (Document::from_text("inventory", inventory), load_regions(&Config::default()))
    {
        let _ = document.redacted().with_secrets_of(&document).read(&Config::default(), &regions);
    }
}
