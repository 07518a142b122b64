package starter

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// vendorCheckTimeout bounds the look at one vendor's account.
const vendorCheckTimeout = 10 * time.Second

type connection struct {
	Name    string                 `json:"name"`
	Kind    string                 `json:"kind"`
	Live    bool                   `json:"live" doc:"real people may be reached"`
	Sandbox bool                   `json:"sandbox,omitempty"`
	OnlyTo  int                    `json:"only_to,omitempty" doc:"how many addresses it is limited to"`
	Does    []string               `json:"does" doc:"source, channel, codes, calls, profiles"`
	Hook    string                 `json:"hook,omitempty" doc:"where the vendor's webhooks go"`
	State   *store.ConnectionState `json:"state,omitempty" doc:"what is known of it besides its settings"`
}

type connectionCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail" doc:"what was found, and what to do"`
}

type checked struct {
	Checks []connectionCheck `json:"checks"`
}

func (a *api) connectionRoutes() {
	const tag = "Operation"
	handle(a, store.ScopeRead, op(http.MethodGet, "/v1/connections", "list-connections", tag, "List the configured accounts at vendors"),
		func(ctx context.Context, _ *struct{}) (*answer[pageOf[connection]], error) {
			out := pageOf[connection]{Items: []connection{}}
			states, err := a.Store.ConnectionStates(ctx)
			if err != nil {
				return nil, err
			}
			for _, name := range a.Connections.Names() {
				opened, err := a.Connections.Get(name)
				if err != nil {
					return nil, err
				}
				c := connection{Name: name, Kind: opened.Kind, Live: opened.Live, Sandbox: opened.Sandbox, OnlyTo: len(opened.OnlyTo), Does: abilities(opened.Vendor)}
				if _, ok := opened.Vendor.(integrations.Source); ok {
					c.Hook = a.Config.PublicURL + "/hooks/" + name
				}
				if state, known := states[name]; known {
					c.State = &state
				}
				out.Items = append(out.Items, c)
			}
			return reply(out)
		})
	handle(a, store.ScopeRead, describe(op(http.MethodPost, "/v1/connections/check", "check-connections", tag, "Ask each vendor whether the account can be used"),
		"Changes nothing at the vendors."),
		func(ctx context.Context, _ *struct{}) (*answer[checked], error) {
			return reply(checked{a.checkConnections(ctx)})
		})
}

func abilities(vendor any) []string {
	does := []string{}
	for _, ability := range []struct {
		name string
		has  func(any) bool
	}{
		{"source", func(v any) bool { _, ok := v.(integrations.Source); return ok }},
		{"channel", func(v any) bool { _, ok := v.(integrations.Channel); return ok }},
		{"codes", func(v any) bool { _, ok := v.(integrations.Issuer); return ok }},
		{"calls", func(v any) bool { _, ok := v.(integrations.Caller); return ok }},
		{"profiles", func(v any) bool { _, ok := v.(integrations.ProfileSync); return ok }},
	} {
		if ability.has(vendor) {
			does = append(does, ability.name)
		}
	}
	return does
}

func (a *api) checkConnections(ctx context.Context) []connectionCheck {
	names := a.Connections.Names()
	checks := make([]connectionCheck, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { checks[i] = a.checkConnection(ctx, name) })
	}
	asking.Wait()
	return checks
}

func (a *api) checkConnection(ctx context.Context, name string) connectionCheck {
	opened, err := a.Connections.Get(name)
	if err != nil {
		return connectionCheck{name, false, err.Error()}
	}
	checker, ok := opened.Vendor.(integrations.Checker)
	if !ok {
		return connectionCheck{name, true, opened.Kind + " has nothing to ask"}
	}
	ctx, cancel := context.WithTimeout(ctx, vendorCheckTimeout)
	defer cancel()
	err = checker.Check(ctx)
	var told *Problem
	switch {
	case err == nil && !opened.Live && !opened.Sandbox:
		return connectionCheck{name, true, opened.Kind + " takes the credentials; the connection isn't live, so nobody is written to but only_to"}
	case err == nil:
		return connectionCheck{name, true, opened.Kind + " takes the credentials"}
	case errors.As(vendorProblem(err), &told):
		return connectionCheck{name, false, told.Detail}
	}
	return connectionCheck{name, false, opened.Kind + " could not be asked; check base_url and the network"}
}
