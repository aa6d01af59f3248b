# Built by docker-compose.yml: all four programs and their shared libraries, nothing else.
FROM debian:bookworm-slim AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config \
    libzmq3-dev libmsgpack-dev libsqlite3-dev librandom123-dev libsleef-dev libfyaml-dev libjansson-dev libsodium-dev
COPY CMakeLists.txt /src/
COPY include /src/include
COPY proto /src/proto
COPY data /src/data
COPY worker /src/worker
COPY broker /src/broker
COPY aggregator /src/aggregator
COPY client /src/client
RUN cmake -G Ninja -S /src -B /build -DGOLDTHREAD_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr/local \
    && cmake --build /build && cmake --install /build --strip

FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libzmq5 libmsgpackc2 libsqlite3-0 libsleef3 \
    libfyaml0 libjansson4 libsodium23 && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/goldthread --create-home goldthread
COPY --from=build /usr/local/bin/ /usr/local/bin/
USER goldthread
VOLUME /var/lib/goldthread
