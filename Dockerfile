# One image for each program, for a Docker engine: docker build --target daprd --tag <registry>/daprd:<tag> .
# Without an engine, `cargo xtask images` writes the same images.

# Debian with rustup; its Rust has to be the one of rust-toolchain.toml.
ARG RUST_IMAGE=rust:1.95-bookworm

FROM ${RUST_IMAGE} AS build
ARG PROFILE=dist
WORKDIR /src
COPY . .
# The C library is linked into this target only: programs that run while building load the system's.
# RUST_VERSION is the image's own: without it rustup would fetch components that only developers need.
RUN set -eu; \
    triple="$(uname -m)-unknown-linux-gnu"; \
    flags="CARGO_TARGET_$(echo "$triple" | tr a-z- A-Z_)_RUSTFLAGS"; \
    env ${RUST_VERSION:+RUSTUP_TOOLCHAIN=$RUST_VERSION} "$flags=-C target-feature=+crt-static" \
        cargo build --locked --profile "$PROFILE" --target "$triple" \
        --package sidecar --package operator --package injector --package sample; \
    mkdir /out; \
    for program in daprd operator sentry injector sample; do cp "target/$triple/$PROFILE/$program" /out/; done

# No ENTRYPOINT: pods name what they run, and the injector passes /daprd as the first argument.
FROM scratch AS operator
COPY --from=build /out/operator /operator
USER 65532:65532

FROM scratch AS sentry
COPY --from=build /out/sentry /sentry
USER 65532:65532

FROM scratch AS injector
COPY --from=build /out/injector /injector
USER 65532:65532

# The app of examples/kubernetes.
FROM scratch AS sample
COPY --from=build /out/sample /sample
USER 65532:65532

FROM scratch AS daprd
COPY --from=build /out/daprd /daprd
USER 65532:65532
