// Package codec encrypts the payloads that Temporal keeps: inputs, signals,
// results, details of errors, summaries. It is off until a key is configured.
//
// Histories hold ids and no personal data anyway. The codec is for those whose
// Temporal is somebody else's: it hides which campaigns do what, when, and to
// which ids.
package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// What stands in the metadata of an encrypted payload, in the words that codecs of
// Temporal's other SDKs use.
const (
	encoding       = "binary/encrypted"
	cipherName     = "AES-256-GCM"
	metadataKeyID  = "encryption-key-id"
	metadataCipher = "encryption-cipher"
)

// Codec encrypts with its first key and decrypts with whichever of its keys a
// payload names, so that a key can be changed while journeys go on. Without a key
// it leaves everything as it is. A payload that isn't encrypted is taken as it is:
// what was there before the codec was switched on, and what people signal by hand.
type Codec struct {
	keys []Key
}

var _ converter.PayloadCodec = (*Codec)(nil)

// New makes a codec; its first key encrypts.
func New(keys ...Key) *Codec { return &Codec{keys} }

// On says whether payloads are encrypted.
func (c *Codec) On() bool { return len(c.keys) > 0 }

// Encode encrypts payloads, their metadata included.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.On() {
		return payloads, nil
	}
	key := c.keys[0]
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		clear, err := proto.Marshal(payload)
		if err != nil {
			return nil, fmt.Errorf("encrypting a payload: %w", err)
		}
		encoded[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(encoding), metadataCipher: []byte(cipherName), metadataKeyID: []byte(key.id),
			},
			Data: key.aead.Seal(nil, nil, clear, bound(key.id)), // #nosec G407 -- this AEAD draws its own nonce
		}
	}
	return encoded, nil
}

// Decode decrypts payloads. The error is an *UnreadableError where a key is
// missing or a payload isn't what was encrypted.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.GetMetadata()[converter.MetadataEncoding]) != encoding {
			decoded[i] = payload
			continue
		}
		clear, err := c.open(payload)
		if err != nil {
			return nil, err
		}
		decoded[i] = clear
	}
	return decoded, nil
}

func (c *Codec) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	id := string(payload.GetMetadata()[metadataKeyID])
	key, ok := c.key(id)
	if !ok {
		return nil, &UnreadableError{fmt.Sprintf("it was encrypted with the key %q, which is not among payload_keys; add the key again", id)}
	}
	clear, err := key.aead.Open(nil, nil, payload.GetData(), bound(id))
	if err != nil {
		return nil, &UnreadableError{fmt.Sprintf("it was not encrypted with the key that payload_keys calls %q, or was changed since", id)}
	}
	decoded := &commonpb.Payload{}
	if err := proto.Unmarshal(clear, decoded); err != nil {
		return nil, &UnreadableError{"what was encrypted is no payload"}
	}
	return decoded, nil
}

func (c *Codec) key(id string) (Key, bool) {
	for _, key := range c.keys {
		if key.id == id {
			return key, true
		}
	}
	return Key{}, false
}

// bound is what the ciphertext answers for besides itself: neither the key's id
// nor the encoding can be changed under it. No part can hold the separator.
func bound(id string) []byte { return []byte(encoding + "\x00" + cipherName + "\x00" + id) }

// UnreadableError says why a payload can't be decrypted. It holds nothing of what
// the payload says.
type UnreadableError struct{ reason string }

func (e *UnreadableError) Error() string { return "decrypting a payload: " + e.reason }
