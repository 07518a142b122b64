# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
ENV CGO_ENABLED=0
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags='-s -w' -o /scrip .

# No shell and no package manager; time zones and certificates are there. Runs as
# uid 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /scrip /scrip
# The project folder (scrip.yaml, campaigns/, …) is mounted here.
WORKDIR /project
EXPOSE 8080 8081
ENTRYPOINT ["/scrip"]
CMD ["--help"]
