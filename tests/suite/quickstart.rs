//! The examples as a reader runs them: the commands of their README, word by
//! word, in a room with its own network and processes, because they name
//! fixed ports and ids.

mod cart;
mod dotnet;
mod go;
mod hello_world;
mod java;
mod javascript;
mod python;
mod readme;
mod resiliency;
mod runner;
mod venv;
