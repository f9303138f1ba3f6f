"""Panels: the sidebar of the 3D viewport, and the render properties of the engine."""

from __future__ import annotations

import bpy

from .decoders import EMBEDDED, decoder_is_given, decoder_name, known_decoders
from .drawing import draw_text, draw_worker
from .layers.photo_layers import are_out_of_date
from .names import ENGINE
from .preferences import worker_settings
from .render.passes import OFFERS
from .render.problems import problems, warnings
from .scene.assets import asset_objects
from .scene.fitted_mesh import deforms, fitted_mesh
from .scene.painting import LABELS, Layer, painted_layer

NOT_OURS = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_freestyle", "RENDER_PT_simplify"}
"""Panels that other engines share, but that mean nothing here."""


class Sidebar:
    """Where the viewport's panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Neural Assets"


class NEURAL_ASSETS_PT_photo(Sidebar, bpy.types.Panel):
    """The photo, and what would fail at render time."""

    bl_label = "Photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, scene = self.layout, context.scene
        settings = scene.neural_assets
        layout.operator("neural_assets.import_photo", icon="IMAGE_DATA")
        if settings.photo is not None:
            layout.label(text=settings.photo.name, icon="FILE_IMAGE")
            layout.operator("neural_assets.capture_photo_camera", icon="CAMERA_DATA")
            layout.operator_context = "INVOKE_DEFAULT"
            layout.operator("neural_assets.detect_camera", icon="VIEW_CAMERA")
            layout.operator("neural_assets.match_camera", icon="CON_CAMERASOLVER")
            layout.operator("neural_assets.set_length", icon="DRIVER_DISTANCE")
            layout.operator("neural_assets.swap_background", icon="SCENE_DATA")
        draw_problems(layout, scene)


class NEURAL_ASSETS_PT_assets(Sidebar, bpy.types.Panel):
    """The scene's assets."""

    bl_label = "Assets"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        settings = context.scene.neural_assets
        layout.prop(settings, "prompt", icon="VIEWZOOM")
        layout.operator("neural_assets.detect", icon="OUTLINER_OB_LIGHTPROBE").prompt = settings.prompt
        layout.operator("neural_assets.add_asset_from_box", icon="ADD")
        layout.operator("neural_assets.capture_source", icon="MESH_CUBE")
        row = layout.row(align=True)
        row.operator("neural_assets.snap_to_ground", icon="TRIA_DOWN_BAR", text="Ground")
        row.operator("neural_assets.mark_front", icon="AXIS_FRONT", text="Front")
        row.operator("neural_assets.refit", icon="FULLSCREEN_ENTER", text="Refit")
        row = layout.row(align=True)
        row.operator("neural_assets.drag_face", icon="SNAP_FACE", text="Face")
        row.operator("neural_assets.turn_front", icon="ORIENTATION_GIMBAL", text="Turn")
        layout.operator("neural_assets.replace_asset", icon="UV_SYNC_SELECT")
        layout.prop(settings, "show_boxes")
        column = layout.column(align=True)
        for asset in asset_objects(context.scene):
            row = column.row(align=True)
            if asset.preview is not None and asset.preview.icon_id:
                row.template_icon(asset.preview.icon_id, scale=1.6)
            row.prop(asset, "name", text="", icon="CUBE" if asset == context.active_object else "EMPTY_DATA")
            if asset.neural_asset.score > 0:
                row.label(text=f"{asset.neural_asset.score:.0%}")
            row.prop(asset, "hide_render", text="", emboss=False)
        active = context.active_object
        if active is not None and active.neural_asset.is_asset:
            layout.prop(active.neural_asset, "shadow_strength", slider=True)
            layout.prop(active.neural_asset, "match_light", slider=True)
        draw_mesh(layout, active)
        draw_views(layout, active)


class NEURAL_ASSETS_PT_layers(Sidebar, bpy.types.Panel):
    """What the photo is taken apart into."""

    bl_label = "Layers"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it once a photo is there."""
        return context.scene.neural_assets.photo is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, scene = self.layout, context.scene
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("neural_assets.show_layers", icon="RENDERLAYERS")
        if are_out_of_date(scene):
            draw_text(layout, "Boxes have changed since the layers were made. Show them again.", "INFO")
        layout.operator_menu_enum("neural_assets.show_in_camera", "kind", icon="CAMERA_DATA")
        asset = context.active_object
        if asset is not None and asset.neural_asset.is_asset:
            layout.label(text=asset.name, icon="CUBE")
            draw_painting(layout, asset, "outline")
            draw_painting(layout, asset, "shadow_image")
        layout.label(text="Background", icon="SCENE_DATA")
        draw_painting(layout, scene, "plate")
        layout.separator()
        layout.operator("neural_assets.mix_with_cg", icon="SCENE_DATA")
        layout.operator("neural_assets.export_clips", icon="EXPORT")


class NEURAL_ASSETS_PT_sampling(Sidebar, bpy.types.Panel):
    """Quality, and the worker."""

    bl_label = "Sampling"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_sampling(self.layout, context.scene)


class NEURAL_ASSETS_PT_worker(Sidebar, bpy.types.Panel):
    """The worker's state."""

    bl_label = "Worker"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_worker(self.layout)


class NEURAL_ASSETS_PT_training_data(Sidebar, bpy.types.Panel):
    """Training data from the file's own meshes."""

    bl_label = "Training Data"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.neural_assets.training_data
        layout.use_property_split = True
        names = ("folder", "scenes", "frames", "size", "seed", "split", "jobs")
        for name in names:
            layout.prop(settings, name)
        layout.operator_context = "INVOKE_DEFAULT"
        button = layout.operator("neural_assets.render_dataset", icon="RENDER_ANIMATION")
        for name in names:
            setattr(button, name, getattr(settings, name))


class NEURAL_ASSETS_PT_render(bpy.types.Panel):
    """Render properties of the engine."""

    bl_label = "Neural Assets"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for this engine only."""
        return context.engine in cls.COMPAT_ENGINES

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_sampling(self.layout, context.scene)
        self.layout.prop(context.scene.render, "film_transparent", text="Transparent Film")
        draw_problems(self.layout, context.scene)


class NEURAL_ASSETS_PT_passes(bpy.types.Panel):
    """Passes of a view layer."""

    bl_label = "Passes"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "view_layer"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it for this engine only."""
        return context.engine in cls.COMPAT_ENGINES

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, view_layer = self.layout, context.view_layer
        layout.use_property_split = True
        column = layout.column(heading="Data")
        own = layout.column(heading="Neural Assets")
        for offer in OFFERS:
            if offer.ours:
                own.prop(view_layer.neural_assets, offer.switch)
            else:
                column.prop(view_layer, offer.switch)


def draw_mesh(layout: bpy.types.UILayout, active: bpy.types.Object | None) -> None:
    """Draw what there is to do with the active asset's mesh."""
    layout.operator("neural_assets.fit_mesh", icon="OUTLINER_OB_MESH")
    mesh = fitted_mesh(active) if active is not None and active.neural_asset.is_asset else None
    if mesh is None:
        return
    row = layout.row(align=True)
    row.label(text=mesh.name, icon="MESH_DATA")
    if deforms(mesh):
        row.operator("neural_assets.remember_pose", text="", icon="ARMATURE_DATA")
    row.operator("neural_assets.show_mesh", text="", icon="HIDE_ON" if mesh.hide_get() else "HIDE_OFF")
    row.operator("neural_assets.remove_mesh", text="", icon="X")


def draw_views(layout: bpy.types.UILayout, active: bpy.types.Object | None) -> None:
    """Draw the active asset's other photos."""
    layout.operator("neural_assets.add_view", icon="RENDER_STILL")
    if active is None or not active.neural_asset.is_asset:
        return
    for number, view in enumerate(active.neural_asset.views):
        row = layout.row(align=True)
        row.label(text=view.name, icon="FILE_IMAGE")
        row.operator("neural_assets.remove_view", text="", icon="X").number = number


def draw_painting(layout: bpy.types.UILayout, owner: bpy.types.ID, layer: Layer) -> None:
    """Draw the button that opens a layer for painting, and, where it was painted, the one that resets it."""
    row = layout.row(align=True)
    row.operator("neural_assets.edit_layer", text=f"Edit {LABELS[layer]}", icon="BRUSH_DATA").layer = layer
    if painted_layer(owner, layer) is not None:
        row.operator("neural_assets.reset_layer", text="", icon="X").layer = layer


def draw_sampling(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Draw the preset, and its numbers where they count."""
    settings = scene.neural_assets
    layout.use_property_split = True
    row = layout.split(factor=0.4)
    label = row.row()
    label.alignment = "RIGHT"
    label.label(text="Decoder")
    choice = row.row()
    choice.enabled = not decoder_is_given()
    choice.menu(NEURAL_ASSETS_MT_decoder.__name__, text=decoder_name())
    layout.prop(settings, "preset")
    column = layout.column()
    column.active = settings.preset == "custom"
    column.prop(settings, "steps")
    column.prop(settings, "guidance")
    layout.prop(settings, "seed")
    if worker_settings().refiner:
        column = layout.column(heading="Refiner")
        for name in ("refiner_prompt", "refiner_strength", "refiner_reach"):
            column.prop(settings, name)


class NEURAL_ASSETS_MT_decoder(bpy.types.Menu):
    """The decoders to choose from."""

    bl_label = "Decoder"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the menu."""
        layout, name = self.layout, "neural_assets.choose_decoder"
        layout.operator(name, text=EMBEDDED).folder = ""
        for decoder in known_decoders():
            layout.operator(name, text=decoder.name, icon="FILE_FOLDER").folder = decoder.folder
        layout.separator()
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("neural_assets.decoder_folder", text="Folder…", icon="FILEBROWSER")


def draw_problems(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Draw what would fail or differ at render time, each with its button where there is one."""
    for problem in problems(scene, worker_settings()):
        box = layout.box()
        draw_text(box, problem.message, "ERROR")
        if problem.operator:
            box.operator(problem.operator)
        elif problem.fix:
            draw_text(box, problem.fix)
    for text in warnings(scene):
        draw_text(layout, text, "INFO")


CLASSES = (
    NEURAL_ASSETS_PT_photo,
    NEURAL_ASSETS_PT_assets,
    NEURAL_ASSETS_PT_layers,
    NEURAL_ASSETS_PT_sampling,
    NEURAL_ASSETS_PT_training_data,
    NEURAL_ASSETS_PT_worker,
    NEURAL_ASSETS_PT_render,
    NEURAL_ASSETS_PT_passes,
    NEURAL_ASSETS_MT_decoder,
)


def shared_panels() -> list[type[bpy.types.Panel]]:
    """Return Blender's panels (output, format, stamp, camera, colour management) that any engine needs."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if "BLENDER_RENDER" in getattr(panel, "COMPAT_ENGINES", ()) and panel.__name__ not in NOT_OURS
    ]


def register() -> None:
    """Show Blender's own panels with this engine."""
    for panel in shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    """Take this engine out of Blender's own panels."""
    for panel in bpy.types.Panel.__subclasses__():
        if panel not in CLASSES:
            getattr(panel, "COMPAT_ENGINES", set()).discard(ENGINE)
