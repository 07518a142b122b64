package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/dev/temporal"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/worker"
)

// upkeepEvery suits the development clock, on which a minute is more than two
// days, and leaves the list of workflows readable.
const upkeepEvery = 20 * time.Second

// serve runs the starter at once, and the worker when Temporal is there. The
// worker stops first, then the starter, then Temporal.
func (e *environment) serve(ctx context.Context) error {
	ctx, stopAll := context.WithCancelCause(ctx)
	defer stopAll(nil)
	handler, err := e.metrics.Temporal()
	if err != nil {
		return err
	}
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(e.TemporalPort))
	temporalClient, err := worker.Dial(e.temporalAddress(address), e.payloads, e.Log, handler, starter.SignalOnce())
	if err != nil {
		return err
	}
	defer temporalClient.Close()

	starterCtx, endStarter := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan struct{})
	var serving sync.WaitGroup
	// The sandbox holds requests that it was told never to answer.
	stopStarter := sync.OnceFunc(func() { e.stopped("the sandbox", e.sandbox.Close()); endStarter(); serving.Wait() })
	defer stopStarter()
	serving.Go(func() {
		stopAll(starter.Run(starterCtx, starter.Deps{
			Store: e.store, Config: e.config, Connections: e.connections, Temporal: temporalClient, Clock: e.clock,
			Log: e.Log, Metrics: e.metrics, Version: e.Version, Mounts: map[string]http.Handler{"/sandbox": e.sandbox, "/sandbox/": e.sandbox},
		}, starter.RunOptions{Ready: func(net.Addr) { close(ready) }}))
	})
	select {
	case <-ready:
	case <-ctx.Done():
		return cause(ctx)
	}
	server, err := e.startTemporal(ctx)
	if err != nil {
		return ifNotEnded(ctx, err)
	}
	defer func() { stopStarter(); e.stopped("Temporal", server.Stop()) }()
	e.banner(server)
	err = worker.Run(ctx, e.workerDeps(temporalClient))
	return errors.Join(ifNotEnded(ctx, err), cause(ctx))
}

func (e *environment) workerDeps(c client.Client) worker.Deps {
	return worker.Deps{Store: e.store, Config: e.config, Connections: e.connections, Temporal: c, Log: e.Log,
		Observe: e.metrics, Upkeep: upkeepEvery, Options: worker.OptionsOf(e.config.Worker)}
}

func (e *environment) startTemporal(ctx context.Context) (*temporal.Server, error) {
	progress := &buildProgress{out: e.Out, baseURL: e.baseURL}
	defer progress.end()
	return temporal.Start(ctx, temporal.Options{
		Dir: filepath.Join(e.State, "temporal"), Port: e.TemporalPort, UIPort: e.UIPort,
		PortSetting: "--temporal-port or SCRIP_TEMPORAL_PORT", UIPortSetting: "--ui-port or SCRIP_UI_PORT", Progress: progress.step, Log: e.Log,
	})
}

// cause gives why ctx ended, unless somebody asked for it.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func ifNotEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
