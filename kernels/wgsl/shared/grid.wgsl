// The number of this invocation when workgroups go on along y past one axis' limit (Dispatch::invocations).
fn grid_index(id: vec3<u32>, workgroups: vec3<u32>, size: u32) -> u32 {
    return id.y * workgroups.x * size + id.x;
}
