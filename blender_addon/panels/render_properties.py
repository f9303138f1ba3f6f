"""The engine's panels in the Properties editor: sampling, film, output size and passes, with presets."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel
from bpy.app.translations import pgettext_iface as iface_

from ..decoders import EMBEDDED, decoder_is_given, decoder_name, decoder_side, known_decoders
from ..drawing import draw_text
from ..errors import Place
from ..names import ENGINE
from ..operators.presets import NEURAL_ASSETS_MT_pass_presets, NEURAL_ASSETS_MT_sampling_presets
from ..preferences import worker_settings
from ..render.passes import OFFERS
from ..scene.camera import resolution
from .problems import draw_problems

PLACES: tuple[Place, ...] = ("photo", "assets", "animate", "render")


class OfEngine:
    """A panel of the Properties editor that is there while this engine renders the scene."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for this engine only."""
        return context.engine in cls.COMPAT_ENGINES


class NEURAL_ASSETS_PT_sampling_presets(PresetPanel, bpy.types.Panel):
    """Presets of sampling."""

    bl_label = "Sampling Presets"
    preset_subdir = NEURAL_ASSETS_MT_sampling_presets.preset_subdir
    preset_operator = "script.execute_preset"
    preset_add_operator = "neural_assets.add_sampling_preset"


class NEURAL_ASSETS_PT_pass_presets(PresetPanel, bpy.types.Panel):
    """Presets of passes."""

    bl_label = "Pass Presets"
    preset_subdir = NEURAL_ASSETS_MT_pass_presets.preset_subdir
    preset_operator = "script.execute_preset"
    preset_add_operator = "neural_assets.add_pass_preset"


class NEURAL_ASSETS_PT_render(OfEngine, bpy.types.Panel):
    """How frames are sampled, and whatever keeps them from being rendered."""

    bl_label = "Sampling"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the presets."""
        NEURAL_ASSETS_PT_sampling_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        draw_problems(layout, context, *PLACES)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        draw_decoder(column)
        column.prop(context.scene.neural_assets, "preset", text="Quality")
        draw_sampling(layout, context)


class NEURAL_ASSETS_PT_refiner(OfEngine, bpy.types.Panel):
    """What a refiner is told."""

    bl_label = "Refiner"
    bl_parent_id = "NEURAL_ASSETS_PT_render"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it where a refiner finishes frames."""
        return super().poll(context) and bool(worker_settings().refiner)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_refiner(self.layout, context)


class NEURAL_ASSETS_PT_size(OfEngine, bpy.types.Panel):
    """The picture's size beside the decoder's."""

    bl_label = "Output Size"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_output_size(self.layout, context)


class NEURAL_ASSETS_PT_film(OfEngine, bpy.types.Panel):
    """The film."""

    bl_label = "Film"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.layout.prop(context.scene.render, "film_transparent", text="Transparent")


class NEURAL_ASSETS_PT_passes_in_render(OfEngine, bpy.types.Panel):
    """Passes of the active view layer, here too."""

    bl_label = "Passes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the presets."""
        NEURAL_ASSETS_PT_pass_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_passes(self.layout, context.view_layer)


class NEURAL_ASSETS_PT_passes(OfEngine, bpy.types.Panel):
    """Passes of a view layer."""

    bl_label = "Passes"
    bl_context = "view_layer"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the presets."""
        NEURAL_ASSETS_PT_pass_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_passes(self.layout, context.view_layer)


class NEURAL_ASSETS_MT_decoder(bpy.types.Menu):
    """The decoders to choose from."""

    bl_label = "Decoder"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the menu."""
        layout, name = self.layout, "neural_assets.choose_decoder"
        layout.operator(name, text=EMBEDDED).folder = ""
        for decoder in known_decoders():
            button = layout.operator(name, text=decoder.name, icon="FILE_FOLDER", translate=False)
            button.folder = decoder.folder
        layout.separator()
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("neural_assets.decoder_folder", text="Folder…", icon="FILEBROWSER")


def draw_decoder(layout: bpy.types.UILayout) -> None:
    """Draw which decoder finishes frames, as a menu; fixed where the environment names it."""
    row = layout.split(factor=0.4)
    label = row.row()
    label.alignment = "RIGHT"
    label.label(text="Decoder")
    choice = row.row()
    choice.enabled = not decoder_is_given()
    choice.menu(NEURAL_ASSETS_MT_decoder.__name__, text=decoder_name())


def draw_sampling(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw steps and guidance, where they count, and the seed with its clock."""
    settings = context.scene.neural_assets
    column = layout.column()
    column.use_property_split = True
    numbers = column.column()
    numbers.active = settings.preset == "custom"
    numbers.prop(settings, "steps")
    numbers.prop(settings, "guidance")
    row = column.row(align=True)
    row.prop(settings, "seed")
    row.prop(settings, "use_animated_seed", text="", icon="TIME")


def draw_refiner(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what a refiner is told."""
    layout.use_property_split = True
    for name in ("refiner_prompt", "refiner_strength", "refiner_reach"):
        layout.prop(context.scene.neural_assets, name)


def draw_output_size(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the picture's size, the decoder's, and the button that brings the first to the second."""
    render = context.scene.render
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(render, "resolution_x", text="Resolution X")
    column.prop(render, "resolution_y", text="Y")
    column.prop(render, "resolution_percentage", text="%")
    width, height = resolution(context.scene)
    side = decoder_side()
    draw_text(column, iface_("Picture: {:d} x {:d} pixels").format(width, height), "NONE")
    if side:
        text = iface_("Decoder: {:d} pixels on the longer side").format(side)
        draw_text(column, text, "NONE")
        column.operator("neural_assets.set_best_size", icon="FULLSCREEN_EXIT")


def draw_passes(layout: bpy.types.UILayout, view_layer: bpy.types.ViewLayer) -> None:
    """Draw the switches of a view layer's passes."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(heading="Data")
    own = layout.column(heading="Assets")
    for offer in OFFERS:
        if offer.ours:
            own.prop(view_layer.neural_assets, offer.switch)
        else:
            column.prop(view_layer, offer.switch)


CLASSES = (
    NEURAL_ASSETS_PT_sampling_presets,
    NEURAL_ASSETS_PT_pass_presets,
    NEURAL_ASSETS_PT_render,
    NEURAL_ASSETS_PT_refiner,
    NEURAL_ASSETS_PT_size,
    NEURAL_ASSETS_PT_film,
    NEURAL_ASSETS_PT_passes_in_render,
    NEURAL_ASSETS_PT_passes,
    NEURAL_ASSETS_MT_decoder,
)
