"""What is around a robot in a MuJoCo model: the floor, the sky and the light."""

import mujoco

from mimicgym.terrain.field import HeightField

_LEAST_SPAN_M = 1e-3
_FIELD_BASE_M = 0.5


def add_scene(spec: mujoco.MjSpec, terrain: HeightField | None) -> None:
    """Add the geom "floor", a sky and lights; the floor is a plane if terrain is None.

    The floor touches nothing by itself: contacts are explicit pairs.
    """
    if terrain is None:
        spec.worldbody.add_geom(
            name="floor",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0, 0, 0.05],
            contype=0,
            conaffinity=0,
            material="floor",
        )
    else:
        _add_terrain(spec, terrain)
    spec.add_texture(
        name="floor",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.32, 0.36, 0.42],
        rgb2=[0.26, 0.30, 0.36],
        width=256,
        height=256,
    )
    material = spec.add_material(name="floor", texrepeat=[1, 1], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    material.reflectance = 0.05
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.75, 0.82, 0.9],
        rgb2=[0.35, 0.45, 0.58],
        width=128,
        height=768,
    )
    # Directional: robots walk away from where a lamp would stand.
    sun = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    spec.worldbody.add_light(type=sun, pos=[0, 0, 6], dir=[0, 0, -1], diffuse=[0.5] * 3)
    spec.worldbody.add_light(
        type=sun,
        pos=[3, -3, 5],
        dir=[-0.5, 0.5, -0.8],
        diffuse=[0.4] * 3,
        castshadow=False,
    )


def _add_terrain(spec: mujoco.MjSpec, terrain: HeightField) -> None:
    """The floor as a height field. MuJoCo wants heights from 0 to 1, row by row from
    the least y, with the first and last on the rim."""
    rows, columns = terrain.height_m.shape
    low_m = float(terrain.height_m.min())
    span_m = max(float(terrain.height_m.max()) - low_m, _LEAST_SPAN_M)
    spec.add_hfield(
        name="floor",
        nrow=rows,
        ncol=columns,
        size=[terrain.length_m / 2, terrain.width_m / 2, span_m, _FIELD_BASE_M],
        userdata=((terrain.height_m - low_m) / span_m).ravel().tolist(),
    )
    middle_xy = terrain.bounds_m.mean(axis=0)
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_HFIELD,
        hfieldname="floor",
        pos=[*middle_xy, low_m],
        contype=0,
        conaffinity=0,
        material="floor",
    )
