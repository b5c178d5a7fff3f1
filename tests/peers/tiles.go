package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// tileFolder lets the Go checksum database's reader read an export; that reader verifies every tile against the tree's root. It names
// tiles tile/<height>/<level>/<n>, C2SP tlog-tiles leaves the height out. A changed file stands in for the one that is there.
type tileFolder struct {
	dir         string
	changedPath string
	changed     []byte
}

func tilePath(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

func (f tileFolder) read(path string) ([]byte, error) {
	if path == f.changedPath {
		return f.changed, nil
	}
	return os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(path)))
}

func (f tileFolder) Height() int { return tileHeight }

func (f tileFolder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f tileFolder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := f.read(tilePath(t))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// entries reads a bundle: each entry behind its length in two bytes.
func (f tileFolder) entries(path string) ([][]byte, error) {
	data, err := f.read(path)
	var all [][]byte
	for err == nil && len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, errors.New("a bundle that ends within an entry")
		}
		n := 2 + int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:n])
		data = data[n:]
	}
	return all, err
}

// A whole is an export as the peer reads it: tree and hashes, and where its files are.
type whole struct {
	tree    tlog.Tree
	tiles   []string // paths of all tiles of hashes
	bundles []string // and of entries
}

func (e *evidence) whole() (*whole, error) {
	checkpoint, err := e.open(e.notes[len(e.notes)-1])
	if err != nil {
		return nil, err
	}
	w := &whole{tree: tlog.Tree{N: int64(checkpoint.Size)}}
	copy(w.tree.Hash[:], checkpoint.Hash)
	for _, t := range tlog.NewTiles(tileHeight, 0, w.tree.N) {
		path := tilePath(t)
		w.tiles = append(w.tiles, path)
		if t.L == 0 {
			w.bundles = append(w.bundles, strings.Replace(path, "tile/0/", "tile/entries/", 1))
		}
	}
	return w, nil
}

// verify reads every hash of the export through the peer, and compares every entry with its hash.
func (w *whole) verify(f tileFolder) error {
	indexes := make([]int64, w.tree.N)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	leaves, err := tlog.TileHashReader(w.tree, f).ReadHashes(indexes)
	if err != nil {
		return err
	}
	index := 0
	for _, path := range w.bundles {
		entries, err := f.entries(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, entry := range entries {
			if index >= len(leaves) || tlog.RecordHash(entry) != leaves[index] {
				return fmt.Errorf("%s: entry %d isn't the one in the tree", path, index)
			}
			index++
		}
	}
	if index != len(leaves) {
		return fmt.Errorf("%d entries of %d", index, len(leaves))
	}
	return nil
}

func judgeTiles(r *report, e *evidence) {
	w, err := e.whole()
	if err != nil {
		r.accepted("the export's checkpoint", err)
		return
	}
	folder := tileFolder{dir: e.export}
	if err := w.verify(folder); err != nil {
		r.accepted("the export's tiles and entries are those of its checkpoint", err)
		return
	}
	r.say(w.tree.N > 1<<tileHeight, fmt.Sprintf("the export's tiles and entries are those of its checkpoint (%d entries, %d tiles)", w.tree.N,
		len(w.tiles)), "the log is too short to have a full tile")
	attackTiles(r, w, folder)
	hashes := tlog.TileHashReader(w.tree, folder)
	r.accepted("each record's inclusion is proved out of the tiles", w.proveRecords(e, hashes))
	r.accepted("each checkpoint's consistency with the newest is proved out of the tiles", w.proveCheckpoints(e, hashes))
}

// proveRecords has one peer make the inclusion proofs that judgeProofs has another one verify.
func (w *whole) proveRecords(e *evidence, hashes tlog.HashReader) error {
	for i := int64(0); i < w.tree.N; i++ {
		p, err := tlog.ProveRecord(w.tree.N, i, hashes)
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		e.inclusions = append(e.inclusions, inclusion{name: fmt.Sprintf("record %d", i), leaf: leaf[0][:], index: uint64(i),
			size: uint64(w.tree.N), proof: slices(p), root: w.tree.Hash[:]})
	}
	return nil
}

// proveCheckpoints does the same for the roots that were signed. The empty tree needs no proof, and has none.
func (w *whole) proveCheckpoints(e *evidence, hashes tlog.HashReader) error {
	for _, text := range e.notes {
		earlier, err := e.open(text)
		if err != nil {
			return err
		}
		if earlier.Size == 0 {
			continue
		}
		p, err := tlog.ProveTree(w.tree.N, int64(earlier.Size), hashes)
		if err != nil {
			return fmt.Errorf("size %d: %w", earlier.Size, err)
		}
		e.consistences = append(e.consistences, consistency{from: earlier.Size, to: uint64(w.tree.N), fromRoot: earlier.Hash,
			toRoot: w.tree.Hash[:], proof: slices(p)})
	}
	return nil
}

func slices(list []tlog.Hash) [][]byte {
	var all [][]byte
	for i := range list {
		all = append(all, list[i][:])
	}
	return all
}

// attackTiles changes each file of the export once in each of some places: first byte, last byte, one byte cut off.
func attackTiles(r *report, w *whole, folder tileFolder) {
	for _, kind := range []struct {
		what  string
		paths []string
	}{{"hashes", w.tiles}, {"entries", w.bundles}} {
		var variants []tileFolder
		for _, path := range kind.paths {
			data, err := folder.read(path)
			if err != nil || len(data) < 3 {
				r.accepted("the export's "+path, fmt.Errorf("%d bytes: %w", len(data), err))
				return
			}
			for _, changed := range [][]byte{flipped(data, 0), flipped(data, 8*len(data)-1), flipped(data, 4*len(data)), data[:len(data)-1],
				bytes.Join([][]byte{data, {0}}, nil)} {
				variants = append(variants, tileFolder{folder.dir, path, changed})
			}
		}
		allRefused(r, "an export with a changed tile of "+kind.what, variants, w.verify)
	}
}
