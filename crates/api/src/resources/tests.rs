mod definitions;
mod manifests;
