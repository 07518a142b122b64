package cli

import (
	"errors"
	"net"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/starter"
)

// codecCommand serves people who look at encrypted journeys. It needs the keys and
// nothing else: neither the database nor the vendors' secrets.
func (a *app) codecCommand() *cobra.Command {
	return &cobra.Command{Use: "codec", Short: "Decrypt payloads for Temporal's UI and CLI", Args: noArgs,
		Long: `Serves POST /encode and /decode to Temporal's UI and CLI, where payload_keys (or
SCRIP_PAYLOAD_KEYS) are set. Whoever reaches it can decrypt everything: it listens on
127.0.0.1 unless codec.listen says otherwise, and then asks for codec.token. Browsers
are answered on the pages of codec.origins only.`,
		Example: "  scrip codec\n  temporal workflow show -w cart-recovery/jn_… --codec-endpoint http://127.0.0.1:8082",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(a.project, a.env)
			var problems config.Problems
			if errors.As(err, &problems) {
				err = problems.About("payload_keys", "codec")
			}
			if err != nil {
				return err
			}
			payloads, err := c.PayloadCodec()
			if err != nil {
				return err
			}
			if !payloads.On() {
				return errors.New("there is nothing to decrypt: payload_keys in scrip.yaml and SCRIP_PAYLOAD_KEYS are empty, so what Temporal keeps is in clear text")
			}
			log := a.logger()
			server := codec.Server(codec.ServerOptions{Codec: payloads, Token: c.Codec.Token.Reveal(), Origins: c.Codec.Origins})
			return starter.Serve(cmd.Context(), c.Codec.Listen, server, starter.Limits{}, log, func(at net.Addr) {
				log.Info("decrypting for Temporal's UI and CLI", "endpoint", "http://"+at.String(), "origins", c.Codec.Origins, "token", !c.Codec.Token.Empty())
			})
		}}
}
