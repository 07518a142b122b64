package starter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"scrip.dev/scrip/store"
)

// RunOptions are what Run takes besides the dependencies.
type RunOptions struct {
	Listen string         // host:port; "" takes the configured one
	Ready  func(net.Addr) // called once requests are answered; may be nil
	Limits Limits         // Connections: zero takes the configured number
}

// Run answers webhooks and the API and dispatches what came in, until ctx ends;
// then it lets what is under way finish. It works while Temporal is away.
func Run(ctx context.Context, deps Deps, options RunOptions) error {
	public, err := url.Parse(deps.Config.PublicURL)
	if err != nil {
		return fmt.Errorf("reading public_url: %w", err)
	}
	counted := NewInboxMetrics(deps.Metrics.Registry)
	deps.Metrics.Watch(deps.Store)
	deps.Store.Refused = func(campaign, reason string) { counted.Refusals.WithLabelValues(campaign, reason).Inc() }
	deps.Inbox = NewInbox(deps.Store, counted)
	defer deps.Inbox.Close()
	hooks := &Hooks{Inbox: deps.Inbox, Sources: deps.Connections, PublicURL: public, Metrics: counted, Log: deps.Log, Now: time.Now}
	mounts := hooks.Mounts()
	maps.Copy(mounts, deps.Mounts)
	deps.Mounts = mounts

	dispatcher := &Dispatcher{Store: deps.Store, Sources: deps.Connections, Clock: deps.Clock, Zone: deps.Config.Zone(),
		Temporal: &Client{Client: deps.Temporal, Store: deps.Store, Clock: deps.Clock},
		Holder:   holder(), Woken: deps.Inbox.Woken(), Metrics: counted, Ended: deps.Metrics.Ended, Log: deps.Log}
	// The dispatcher outlives the server, so that what the last requests stored is
	// on its way before the process ends.
	dispatching, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { dispatcher.Run(dispatching) })
	defer running.Wait()
	defer stop()
	if err := deps.seeConnections(ctx); err != nil {
		return err
	}

	listen := options.Listen
	if listen == "" {
		listen = deps.Config.Listen
	}
	limits := options.Limits
	limits.Connections = cmp.Or(limits.Connections, deps.Config.MaxConnections)
	return Serve(ctx, listen, New(deps), limits, deps.Log, func(at net.Addr) {
		go reconcile(ctx, deps)
		if options.Ready != nil {
			options.Ready(at)
		}
	})
}

func (d Deps) seeConnections(ctx context.Context) error {
	kinds := map[string]string{}
	for _, name := range d.Connections.Names() {
		opened, err := d.Connections.Get(name)
		if err != nil {
			return err
		}
		kinds[name] = opened.Kind
	}
	return d.Store.SeeConnections(ctx, kinds)
}

// holder names this process in the dispatcher's lease.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), store.NewID("p"))
}
