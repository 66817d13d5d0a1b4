"""Drawing of image panels to PNG, without any state shared between figures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from PIL import Image

DPI = 200
INK, _PAPER, _DIM = '#f2f4f7', '#000000', '#a9b1bd'
_FIGURE_WIDTH_INCHES = 7.4
_GAP, _TITLE, _BAR = 0.08, 0.25, 0.62
_ENTRIES = 6  # of a legend, in one line
_HALO = [withStroke(linewidth=2.2, foreground=_PAPER)]


@dataclass(frozen=True)
class Pictures:
    """Pictures of one panel that take each other's place, and what the data says of them.

    Parameters
    ----------
    layers
        Pictures of one size, each by the words that choose it.
    note
        Sentences that end the caption.

    """

    layers: Mapping[str, bytes]
    note: str = ''


@dataclass(frozen=True)
class Tile:
    """One plane with the way it is to be shown.

    Parameters
    ----------
    image : (rows, columns) array
        The plane, its first row at the top.
    pixel
        Width and height of a pixel in mm.
    limits
        Values shown black and white (or first and last colour).
    sides
        Letters at the left, right, top and bottom.
    title
        Above the plane.
    cmap
        Colours, by their name in Matplotlib.
    smooth
        Whether values are interpolated between pixels.
    outlines
        Masks (rows, columns) whose edge is drawn, each with its colour; of an image, the line along
        which it is 0.5, and none where it is NaN.

    """

    image: npt.NDArray[Any]
    pixel: tuple[float, float]
    limits: tuple[float, float]
    sides: tuple[str, str, str, str]
    title: str = ''
    cmap: str = 'gray'
    smooth: bool = True
    outlines: tuple[tuple[npt.NDArray[Any], str], ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in mm."""
        rows, columns = self.image.shape
        return columns * self.pixel[0], rows * self.pixel[1]


@dataclass(frozen=True)
class Bar:
    """A colour bar."""

    limits: tuple[float, float]
    label: str
    cmap: str = 'gray'


def draw(
    rows: Sequence[Sequence[Tile]],
    bars: Sequence[Bar | None] = (),
    legend: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Draw rows of tiles, all at one scale, a colour bar at the right of each row that has one.

    Parameters
    ----------
    rows
        Tiles; rows are centred and share one number of pixels per mm.
    bars
        Colour bar of every row, or ``None``.
    legend
        Labels and colours of the outlines.

    Returns
    -------
    png
        The picture.

    """
    bars = [*bars, *[None] * (len(rows) - len(bars))]
    room = _FIGURE_WIDTH_INCHES - (_BAR if any(bars) else 0) - _GAP
    scale = min((room - _GAP * len(row)) / sum(tile.size[0] for tile in row) for row in rows)
    heights = [scale * max(tile.size[1] for tile in row) for row in rows]
    titles = [_TITLE if any(tile.title for tile in row) else 0 for row in rows]
    lines = -(-len(legend) // _ENTRIES)
    foot = 0.12 + 0.18 * lines if legend else 0
    height = sum(heights) + sum(titles) + _GAP * (len(rows) + 1) + foot
    figure = figure_of(height)
    canvas = _canvas(figure, height)
    top = height - _GAP
    for row, bar, tall, title in zip(rows, bars, heights, titles, strict=True):
        top -= title
        wide = sum(scale * tile.size[0] for tile in row) + _GAP * (len(row) - 1)
        left = _GAP + (room - _GAP - wide) / 2
        for tile in row:
            w, h = (scale * side for side in tile.size)
            _draw_tile(canvas, tile, (left, top - tall + (tall - h) / 2, w, h))
            left += w + _GAP
        if bar:
            place = (_FIGURE_WIDTH_INCHES - _BAR - 0.02, top - 0.9 * tall, 0.1, 0.8 * tall)
            _draw_bar(figure, bar, _relative(place, height))
        top -= tall + _GAP
    if legend:
        _draw_legend(figure, legend)
    tiles = [tile for row in rows for tile in row]
    colours = {tile.cmap for tile in tiles} - {'gray'}
    outlined = [colour for tile in tiles for _, colour in tile.outlines]
    return as_png(figure, [*dict.fromkeys(outlined)] or next(iter(colours), 'gray'))


def figure_of(height: float) -> Figure:
    """Make an empty figure of the width of all and a height in inches."""
    return Figure(figsize=(_FIGURE_WIDTH_INCHES, height), dpi=DPI, facecolor=_PAPER)


def _relative(
    place: tuple[float, float, float, float], height: float
) -> tuple[float, float, float, float]:
    left, bottom, wide, tall = place
    return left / _FIGURE_WIDTH_INCHES, bottom / height, wide / _FIGURE_WIDTH_INCHES, tall / height


def _canvas(figure: Figure, height: float) -> Any:
    """Axes in inches over the whole figure: axes for every tile would take most of the time."""
    axes = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
    axes.set(xlim=(0, _FIGURE_WIDTH_INCHES), ylim=(0, height))
    axes.set_axis_off()
    return axes


def _draw_tile(axes: Any, tile: Tile, place: tuple[float, float, float, float]) -> None:
    left, bottom, wide, tall = place
    extent = (left, left + wide, bottom, bottom + tall)
    # no values (NaN) outside the mask: black, whatever the colours inside
    axes.imshow(
        np.ma.masked_invalid(tile.image),
        cmap=colormaps[tile.cmap].with_extremes(bad='black'),
        vmin=tile.limits[0],
        vmax=tile.limits[1],
        aspect='auto',
        interpolation='bicubic' if tile.smooth else 'nearest',
        extent=extent,
    )
    for mask, colour in tile.outlines:
        if (mask < 0.5).any() and (mask > 0.5).any():
            _draw_outline(axes, mask.astype(float), colour, place)
    _draw_letters(axes, tile.sides, place)
    if tile.title:
        axes.text(
            left + 0.5 * wide,
            bottom + 1.02 * tall,
            tile.title,
            ha='center',
            va='bottom',
            fontsize=8.5,
            color=INK,
        )


def _draw_outline(
    axes: Any, mask: npt.NDArray[Any], colour: str, place: tuple[float, float, float, float]
) -> None:
    """Draw the line along which a mask is 0.5, its values being those of the pixels' centres."""
    left, bottom, wide, tall = place
    rows, columns = mask.shape
    x = left + wide * (np.arange(columns) + 0.5) / columns
    y = bottom + tall * (1 - (np.arange(rows) + 0.5) / rows)
    axes.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=0.9)


def _draw_letters(
    axes: Any, sides: tuple[str, str, str, str], place: tuple[float, float, float, float]
) -> None:
    left, bottom, wide, tall = place
    for letter, x, y, h, v in zip(
        sides,
        (0.012, 0.988, 0.5, 0.5),
        (0.5, 0.5, 0.988, 0.012),
        ('left', 'right', 'center', 'center'),
        ('center', 'center', 'top', 'bottom'),
        strict=True,
    ):
        if letter:
            axes.text(
                left + x * wide,
                bottom + y * tall,
                letter,
                path_effects=_HALO,
                ha=h,
                va=v,
                fontsize=7.5,
                color=INK,
            )


def _draw_bar(figure: Figure, bar: Bar, place: tuple[float, float, float, float]) -> None:
    axes = figure.add_axes(place)
    colours = ScalarMappable(Normalize(*bar.limits), bar.cmap)
    drawn = figure.colorbar(colours, cax=axes)
    low, high = bar.limits
    ticks = [low, (low + high) / 2, high]
    drawn.set_ticks(ticks, labels=[_tick(value) for value in ticks])
    drawn.outline.set_edgecolor(_DIM)
    drawn.outline.set_linewidth(0.5)
    axes.tick_params(labelsize=7.5, labelcolor=INK, length=2, color=_DIM, pad=2)
    axes.set_title(bar.label, fontsize=7.5, color=INK, pad=5, loc='left')


def _tick(value: float) -> str:
    return f'{value:.3g}'.replace('-', '\N{MINUS SIGN}')


def _draw_legend(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    lines = [Line2D([], [], color=colour, linewidth=2) for _, colour in entries]
    figure.legend(
        lines,
        [label for label, _ in entries],
        loc='lower center',
        ncols=-(-len(entries) // -(-len(entries) // _ENTRIES)),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        handlelength=1.4,
    )


def as_png(figure: Figure, colours: str | Sequence[str]) -> bytes:
    """Write the picture with as few bytes as its colours need.

    ``colours`` is ``gray``, the name of a colour map that is used beside gray, or the colours of
    lines on gray.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    if colours == 'gray':
        # 128 levels: finer ones are noise of the scanner, and noise is what fills a PNG
        levels = np.round(pixels[..., 1] * (127 / 255)) * (255 / 127)
        picture = Image.fromarray(levels.astype(np.uint8))
    else:
        palette = _palette(colours) if isinstance(colours, str) else _line_palette(colours)
        picture = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    out = io.BytesIO()
    # the best compression takes six times as long for 3 % less
    picture.save(out, 'png', compress_level=6)
    return out.getvalue()


def _palette(cmap: str) -> Image.Image:
    # most entries for the map, so that it shows no steps, the rest for gray letters and frames
    return _of_entries(
        [*colormaps[cmap](np.linspace(0, 1, 208)), *colormaps['gray'](np.linspace(0, 1, 48))]
    )


def _line_palette(colours: Sequence[str]) -> Image.Image:
    # each colour alone and, for the rims of its lines, mixed with what may lie beside it
    grays = [np.full(4, level) for level in (0, 0.25, 0.5, 0.75, 1)]
    lines = [np.array(to_rgba(colour)) for colour in colours]
    entries = [
        mixed
        for line in lines
        for mixed in (
            line,
            *(share * line + (1 - share) * g for g in grays for share in (0.33, 0.66)),
        )
    ]
    return _of_entries([*entries, *colormaps['gray'](np.linspace(0, 1, 256 - len(entries)))])


def _of_entries(entries: Sequence[npt.NDArray[Any]]) -> Image.Image:
    palette = Image.new('P', (1, 1))
    palette.putpalette(np.round(255 * np.array(entries)[:, :3]).astype(np.uint8).tobytes())
    return palette
