package worker

import (
	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/integrations"
)

// Connections shows the configured accounts to the activities.
type Connections struct{ Configured *config.Connections }

var _ activities.Connections = Connections{}

// Outlet finds where messages of a channel go out; an empty name asks for the
// project's default.
func (c Connections) Outlet(channel, name string) (activities.Outlet, bool) {
	if name == "" {
		var err error
		if name, err = c.Configured.DefaultChannel(channel); err != nil {
			return activities.Outlet{}, false
		}
	}
	sender, err := c.Configured.Channel(name)
	if err != nil || sender.Channel() != channel {
		return activities.Outlet{}, false
	}
	opened, err := c.Configured.Get(name)
	if err != nil {
		return activities.Outlet{}, false
	}
	return activities.Outlet{
		Name:           name,
		Channel:        sender,
		Guard:          opened.Guard,
		EvidenceWindow: opened.EvidenceWindow,
		Resend:         opened.OnUnknown == config.Resend,
	}, true
}

// Issuer finds the shop in which codes are made.
func (c Connections) Issuer(name string) (integrations.Issuer, bool) {
	issuer, err := c.Configured.Issuer(name)
	return issuer, err == nil
}

// Caller finds the system that a `call` step asks.
func (c Connections) Caller(name string) (integrations.Caller, bool) {
	caller, err := c.Configured.Caller(name)
	return caller, err == nil
}
