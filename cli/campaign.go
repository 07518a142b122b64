package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

func (a *app) campaignCommand() *cobra.Command {
	var limit int
	listing := &cobra.Command{Use: "list", Short: "List campaigns", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return list(cmd.Context(), a, "/v1/campaigns", nil, limit, func(w io.Writer, campaigns []store.CampaignSummary) {
			rows := make([][]string, len(campaigns))
			for i, c := range campaigns {
				rows[i] = []string{c.Name, c.State, number(int64(c.Version)), number(c.Inside), number(c.Waiting)}
			}
			table(w, "No campaigns yet: write one, then `scrip apply`.", []string{"CAMPAIGN", "STATE", "VERSION", "INSIDE", "WAITING"}, rows)
		})
	}}
	listing.Flags().IntVar(&limit, "limit", 50, "how many at most; 0 is all")
	showing := &cobra.Command{Use: "show CAMPAIGN", Short: "Show a campaign: versions, outcomes, refusals, skips", Args: needs("a campaign"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/campaigns/" + url.PathEscape(args[0])}, showCampaign)
	}}
	campaigns := parent("campaign", "Look at campaigns, pause and stop them", listing, showing)
	for _, verb := range []struct{ name, short, done string }{
		{"pause", "Nobody enters, due steps are held", "is paused"},
		{"resume", "Go on after a pause", "runs"},
		{"drain", "Nobody enters any more, journeys go on", "takes nobody in any more"},
		{"stop", "End all journeys; codes that nobody saw go back", "is stopped"},
	} {
		var yes bool
		command := &cobra.Command{Use: verb.name + " CAMPAIGN", Short: verb.short, Args: needs("a campaign"), RunE: func(cmd *cobra.Command, args []string) error {
			if verb.name == "stop" && !yes {
				ok, err := a.confirm(fmt.Sprintf("End all journeys of %s?", args[0]))
				if err != nil || !ok {
					return err
				}
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/campaigns/" + url.PathEscape(args[0]) + "/" + verb.name}, func(w io.Writer, changed struct {
				Journeys int64 `json:"journeys"`
			}) {
				fmt.Fprintf(w, "%s %s", args[0], verb.done)
				if changed.Journeys > 0 {
					fmt.Fprintf(w, "; %s told", count(changed.Journeys, "journey"))
				}
				fmt.Fprintln(w, ".")
			})
		}}
		if verb.name == "stop" {
			command.Flags().BoolVar(&yes, "yes", false, "don't ask")
		}
		campaigns.AddCommand(command)
	}
	campaigns.AddCommand(a.campaignStart())
	return campaigns
}

func (a *app) campaignStart() *cobra.Command {
	var key string
	start := &cobra.Command{Use: "start CAMPAIGN CONTACT", Short: "Start a journey by hand, for campaigns with the trigger `manual`", Args: needs("a campaign", "a contact"),
		RunE: func(cmd *cobra.Command, args []string) error {
			contact, err := a.findContact(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/campaigns/" + url.PathEscape(args[0]) + "/start", body: map[string]any{"contact": contact, "key": key}},
				func(w io.Writer, _ any) {
					fmt.Fprintf(w, "Asked for. `scrip why %s %s` says what became of it.\n", contact, args[0])
				})
		}}
	start.Flags().StringVar(&key, "key", "", "the same key never enters twice")
	return start
}

func showCampaign(w io.Writer, c store.CampaignDetail) {
	facts(w, "campaign", c.Name, "state", c.State, "version", number(int64(c.Version)), "inside", number(c.Inside), "waiting", number(c.Waiting))
	var versions [][]string
	for _, v := range c.Versions {
		versions = append(versions, []string{number(int64(v.Version)), number(v.Journeys), moment(v.AppliedAt)})
	}
	fmt.Fprintln(w)
	table(w, "Never applied.", []string{"VERSION", "JOURNEYS", "APPLIED"}, versions)
	for _, part := range []struct {
		title  string
		counts []store.Count
	}{{"ENDED AS", c.Outcomes}, {"REFUSED FOR", c.Refusals}, {"NOT SENT FOR", c.Skips}} {
		if len(part.counts) == 0 {
			continue
		}
		var rows [][]string
		for _, one := range part.counts {
			rows = append(rows, []string{one.Name, number(one.Count)})
		}
		fmt.Fprintln(w)
		table(w, "", []string{part.title, "TIMES"}, rows)
	}
}
