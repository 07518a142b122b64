package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// catalogue keeps the index of what campaigns react to until a campaign changes.
type catalogue struct {
	sync.Mutex
	made *index
}

// index says, by event type, what has to be looked at when an event comes in.
type index struct {
	campaigns []store.DispatchCampaign
	current   map[int64]*entrance     // by campaign, the version that new journeys enter with
	triggers  map[string][]*entrance  // whose trigger names the type
	matches   map[string][]matchField // rules that find other people's journeys by a value
	listened  map[string]bool         // types that some version's rules name
	// Campaigns by what would start them, whose version this build can't compile.
	unreadable map[string][]unreadable
}

// unreadable is a campaign whose version this build can't compile. The others go
// on without it; nobody enters it, and what concerns its journeys waits.
type unreadable struct {
	store.DispatchCampaign
	*store.Unreadable
}

// entrance is a campaign and the version that new journeys enter with.
type entrance struct {
	store.DispatchCampaign
	version *store.Version
}

type matchField struct {
	campaignID int64
	field      string
}

// load gives the index as of the transaction.
func (c *catalogue) load(ctx context.Context, d *Dispatcher, q store.Querier) (*index, error) {
	campaigns, err := d.Store.DispatchCampaigns(ctx, q)
	if err != nil {
		return nil, err
	}
	c.Lock()
	defer c.Unlock()
	if c.made != nil && slices.EqualFunc(c.made.campaigns, campaigns, sameCampaign) {
		return c.made, nil
	}
	made, err := newIndex(ctx, d, q, campaigns)
	if err != nil {
		return nil, err
	}
	c.made = made
	return made, nil
}

func sameCampaign(a, b store.DispatchCampaign) bool {
	return a.ID == b.ID && a.State == b.State && a.Version == b.Version && slices.Equal(a.Versions, b.Versions)
}

func newIndex(ctx context.Context, d *Dispatcher, q store.Querier, campaigns []store.DispatchCampaign) (*index, error) {
	x := &index{
		campaigns: campaigns, current: map[int64]*entrance{}, triggers: map[string][]*entrance{},
		matches: map[string][]matchField{}, listened: map[string]bool{}, unreadable: map[string][]unreadable{},
	}
	for _, c := range campaigns {
		for _, no := range c.Versions {
			version, err := d.Store.Version(ctx, q, c.ID, int(no))
			var u *store.Unreadable
			if errors.As(err, &u) {
				d.Log.ErrorContext(ctx, "a campaign is held: this build can't read a version of it; run the build that applied it, or apply the campaign anew",
					"campaign", c.Name, "version", no, "error", u)
				x.addUnreadable(c, u)
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("reading campaign %s: %w", c.Name, err)
			}
			x.addRules(c.ID, version.Program.Rules)
			if int(no) == c.Version {
				x.addEntrance(&entrance{c, version})
			}
		}
	}
	return x, nil
}

func (x *index) addUnreadable(c store.DispatchCampaign, u *store.Unreadable) {
	x.addRules(c.ID, u.Rules)
	if u.Version != c.Version {
		return
	}
	for _, kind := range u.Triggers {
		if kind == "manual" {
			kind = store.ManualStart
		}
		x.unreadable[kind] = append(x.unreadable[kind], unreadable{c, u})
	}
}

func (x *index) addRules(campaignID int64, rules []campaign.Rule) {
	for _, rule := range rules {
		for _, kind := range rule.Events {
			x.listened[kind] = true
			match := matchField{campaignID, rule.Match}
			if rule.Match != "" && !slices.Contains(x.matches[kind], match) {
				x.matches[kind] = append(x.matches[kind], match)
			}
		}
	}
}

func (x *index) addEntrance(e *entrance) {
	x.current[e.ID] = e
	trigger := e.version.Campaign.Trigger
	if trigger.Manual {
		x.triggers[store.ManualStart] = append(x.triggers[store.ManualStart], e)
	}
	for _, kind := range trigger.Events {
		if !slices.Contains(x.triggers[kind], e) {
			x.triggers[kind] = append(x.triggers[kind], e)
		}
	}
}
